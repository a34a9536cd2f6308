#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes the cluster's certificates in the current directory.
set -euo pipefail

openssl genrsa -out ca.key 2048 2>/dev/null
openssl req -x509 -new -key ca.key -subj /CN=cluster-ca -days 30 -out ca.crt

certificate() { # NAME SUBJECT [SAN]
	openssl genrsa -out "$1.key" 2048 2>/dev/null
	openssl req -new -key "$1.key" -subj "$2" -out "$1.csr"
	printf 'extendedKeyUsage=clientAuth,serverAuth\n%s\n' "${3:+subjectAltName=$3}" >"$1.ext"
	openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile "$1.ext" -out "$1.crt" 2>/dev/null
}
certificate apiserver /CN=kube-apiserver \
	DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,IP:127.0.0.1,IP:10.77.0.1,IP:10.96.0.1
certificate admin /O=system:masters/CN=admin
certificate alice /CN=alice
certificate controllers /CN=system:kube-controller-manager
certificate scheduler /CN=system:kube-scheduler
number=1
for node in a b; do
	certificate "node-$node" "/O=system:nodes/CN=system:node:node-$node" "DNS:node-$node,IP:10.77.0.1$number"
	number=$((number + 1))
done
openssl genrsa -out sa.key 2048 2>/dev/null
openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
