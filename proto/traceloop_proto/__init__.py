# SPDX-License-Identifier: Apache-2.0
"""The contract between daemon and clients: `recorder.proto`, and the code that protoc makes of it."""
