# SPDX-License-Identifier: Apache-2.0
"""What clients reach: the gRPC service, its door, whose turn it is, and the numbers that are told."""
