# SPDX-License-Identifier: Apache-2.0
"""What goes over sockets, and the code that protoc makes of it.

`recorder.proto` to clients, `nri.proto` and `cri.proto` to engines.
"""
