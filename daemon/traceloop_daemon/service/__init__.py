# SPDX-License-Identifier: Apache-2.0
"""The service for clients: gRPC, the front before it, users' shares, answers and statistics."""
