#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Writes overlays of packaging/kubernetes for the cluster of cluster.sh into DIRECTORY: an image without anything of ours,
# into which the machine's /usr and this project are mounted.
set -euo pipefail
directory=$1 project=$(cd "$(dirname "$0")/../.." && pwd)
for kind in relay control; do
	mkdir -p "$directory/$kind"
	cp -r "$project/packaging/kubernetes/." "$directory/base"
	cat >"$directory/$kind/kustomization.yaml" <<END
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../base/$kind]
images: [{name: traceloop, newName: docker.io/library/traceloop, newTag: lab}]
patches:
  - target: {kind: DaemonSet}
    patch: |
      - {op: replace, path: /spec/template/spec/securityContext/supplementalGroups, value: [973]}
      - {op: add, path: /spec/template/spec/containers/0/imagePullPolicy, value: Never}
      - {op: add, path: /spec/template/spec/containers/0/env, value: [{name: PATH, value: "$project/.venv/bin:/bin:/usr/bin"}]}
      - {op: add, path: /spec/template/spec/containers/0/volumeMounts/-, value: {name: usr, mountPath: /usr, readOnly: true}}
      - {op: add, path: /spec/template/spec/containers/0/volumeMounts/-, value: {name: project, mountPath: $project, readOnly: true}}
      - {op: add, path: /spec/template/spec/volumes/-, value: {name: usr, hostPath: {path: /usr}}}
      - {op: add, path: /spec/template/spec/volumes/-, value: {name: project, hostPath: {path: $project}}}
END
done
