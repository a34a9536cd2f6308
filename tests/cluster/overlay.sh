#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Writes overlays of packaging/kubernetes, and a copy of the chart, for the cluster of cluster.sh into DIRECTORY: with an
# image without anything of ours, into which the machine's /usr and this project are mounted.
set -euo pipefail
directory=$1 project=$(cd "$(dirname "$0")/../.." && pwd)
rm -rf "$directory"
mkdir -p "$directory"
cp -r "$project/packaging/kubernetes/." "$directory/base"
for kind in relay control daemon; do
	mkdir -p "$directory/$kind"
	cat >"$directory/$kind/kustomization.yaml" <<END
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../base/$kind]
images: [{name: traceloop, newName: docker.io/library/traceloop, newTag: lab}]
patches:
  - target: {kind: DaemonSet}
    patch: |
      - {op: add, path: /spec/template/spec/containers/0/imagePullPolicy, value: Never}
      - {op: add, path: /spec/template/spec/containers/0/volumeMounts/-, value: {name: usr, mountPath: /usr, readOnly: true}}
      - {op: add, path: /spec/template/spec/containers/0/volumeMounts/-, value: {name: project, mountPath: $project, readOnly: true}}
      - {op: add, path: /spec/template/spec/volumes/-, value: {name: usr, hostPath: {path: /usr}}}
      - {op: add, path: /spec/template/spec/volumes/-, value: {name: project, hostPath: {path: $project}}}
  - target: {kind: DaemonSet, name: traceloop-relay}
    patch: |
      - {op: replace, path: /spec/template/spec/securityContext/supplementalGroups, value: [973]}
END
done
cp -r "$directory/base/chart" "$directory/chart"
for template in "$directory"/chart/templates/*.yaml; do
	# The chart's own text has no place for either.
	sed -i -E \
		-e "s#^( *)volumeMounts:#\\1volumeMounts:\n\\1  - {name: usr, mountPath: /usr, readOnly: true}\n\\1  - {name: project, mountPath: $project, readOnly: true}#" \
		-e "s#^( *)volumes:#\\1volumes:\n\\1  - {name: usr, hostPath: {path: /usr}}\n\\1  - {name: project, hostPath: {path: $project}}#" \
		"$template"
done
