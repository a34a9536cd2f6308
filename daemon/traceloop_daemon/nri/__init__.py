# SPDX-License-Identifier: Apache-2.0
"""The Node Resource Interface of engines: its wire format, its session, and the registrations made from it."""
