# SPDX-License-Identifier: Apache-2.0
"""Installs or uninstalls a chart by Helm, as `traceloop`: `release.py CHART VALUES install | uninstall`."""

from __future__ import annotations

import json
import sys

import helm_python as helm

NAME = "traceloop"
TIMEOUT_S = 120


def main() -> None:
    chart, values, what = sys.argv[1:]
    kubeconfig = f"{chart}/../../admin.kubeconfig"
    config = helm.Config(kubeconfig_path=kubeconfig, namespace=NAME)
    try:
        if what == "install":
            config.install(chart, NAME, json.loads(values), namespace=NAME, create_namespace=True, timeout=TIMEOUT_S)
        else:
            config.uninstall(NAME, timeout=TIMEOUT_S)
    finally:
        config.close()


if __name__ == "__main__":
    main()
