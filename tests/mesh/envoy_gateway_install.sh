#!/bin/sh
# Builds Envoy Gateway into .mesh/bin, once: a quarter of an hour on two cores, and 2 GB of memory.
set -eu
version=v1.9.1
binary=.mesh/bin/envoy-gateway
[ -x "$binary" ] && exit 0
command -v go >/dev/null || { echo "Go 1.21 or newer is needed: https://go.dev/doc/install" >&2; exit 1; }
echo "Building Envoy Gateway $version; the first time takes some minutes."
mkdir -p .mesh/bin
GOBIN="$PWD/.mesh/bin" go install "github.com/envoyproxy/gateway/cmd/envoy-gateway@$version"
