# SPDX-License-Identifier: Apache-2.0
"""Attributes of answers, sock_diag(7) and crypto messages by group: word of `netlink_values` -> types."""

from __future__ import annotations

from typing import Final

GROUPS: Final[dict[str, dict[str, str]]] = {
    "nla_error": {"str": "NLMSGERR_ATTR_MSG", "u32": "NLMSGERR_ATTR_OFFS", "array:1": "NLMSGERR_ATTR_COOKIE"},
    "nla_unix": {
        "str": "UNIX_DIAG_NAME",
        "struct:unix_diag_vfs": "UNIX_DIAG_VFS",
        "u32": "UNIX_DIAG_PEER",
        "array:4": "UNIX_DIAG_ICONS",
        "struct:unix_diag_rqlen": "UNIX_DIAG_RQLEN",
        "indexed:socket_memory/4": "UNIX_DIAG_MEMINFO",
        "u8": "UNIX_DIAG_SHUTDOWN",
        "uid": "UNIX_DIAG_UID",
    },
    "nla_inet_request": {"bytecode": "INET_DIAG_REQ_BYTECODE", "one:ipprotos": "INET_DIAG_REQ_PROTOCOL"},
    "nla_inet": {
        "struct:inet_diag_meminfo": "INET_DIAG_MEMINFO",
        "struct:tcpvegas_info": "INET_DIAG_VEGASINFO",
        "struct:tcp_dctcp_info": "INET_DIAG_DCTCPINFO",
        "struct:tcp_bbr_info": "INET_DIAG_BBRINFO",
        "str": "INET_DIAG_CONG",
        "u8": "INET_DIAG_TOS INET_DIAG_TCLASS INET_DIAG_SKV6ONLY",
        "u32": "INET_DIAG_MARK INET_DIAG_CLASS_ID",
        "u64": "INET_DIAG_CGROUP_ID",
        "indexed:socket_memory/4": "INET_DIAG_SKMEMINFO",
        "flags!:shutdown_bits/1": "INET_DIAG_SHUTDOWN",
        "one:ipprotos": "INET_DIAG_PROTOCOL",
        "sockaddrs": "INET_DIAG_LOCALS INET_DIAG_PEERS",
        "md5_keys": "INET_DIAG_MD5SIG",
        "nest:nla_ulp": "INET_DIAG_ULP_INFO",
        "nest:nla_storages": "INET_DIAG_SK_BPF_STORAGES",
        "socket_options": "INET_DIAG_SOCKOPT",
    },
    "nla_ulp": {
        "str": "INET_ULP_INFO_NAME",
        "nest:nla_ulp_tls": "INET_ULP_INFO_TLS",
        "nest:nla_ulp_mptcp": "INET_ULP_INFO_MPTCP",
    },
    "nla_ulp_tls": {
        "one:tls_versions/2": "TLS_INFO_VERSION",
        "one:tls_ciphers/2": "TLS_INFO_CIPHER",
        "one:tls_configs/2": "TLS_INFO_TXCONF TLS_INFO_RXCONF",
    },
    "nla_ulp_mptcp": {
        "x32": "MPTCP_SUBFLOW_ATTR_TOKEN_REM MPTCP_SUBFLOW_ATTR_TOKEN_LOC",
        "u64": "MPTCP_SUBFLOW_ATTR_MAP_SEQ",
        "u32": "MPTCP_SUBFLOW_ATTR_RELWRITE_SEQ MPTCP_SUBFLOW_ATTR_MAP_SFSEQ MPTCP_SUBFLOW_ATTR_SSN_OFFSET",
        "u16": "MPTCP_SUBFLOW_ATTR_MAP_DATALEN",
        "flags:mptcp_flags/4": "MPTCP_SUBFLOW_ATTR_FLAGS",
        "u8": "MPTCP_SUBFLOW_ATTR_ID_REM MPTCP_SUBFLOW_ATTR_ID_LOC",
    },
    "nla_storages": {"nest:nla_storage": "SK_DIAG_BPF_STORAGE"},
    "nla_storage": {"u32": "SK_DIAG_BPF_STORAGE_MAP_ID", "xint": "SK_DIAG_BPF_STORAGE_MAP_VALUE"},
    "nla_netlink": {
        "indexed:socket_memory/4": "NETLINK_DIAG_MEMINFO",
        "0x:8": "NETLINK_DIAG_GROUPS",
        "struct:netlink_diag_ring": "NETLINK_DIAG_RX_RING NETLINK_DIAG_TX_RING",
        "flags:netlink_diag_flags/4": "NETLINK_DIAG_FLAGS",
    },
    "nla_packet": {
        "struct:packet_diag_info": "PACKET_DIAG_INFO",
        "multicast_list": "PACKET_DIAG_MCLIST",
        "struct:packet_diag_ring": "PACKET_DIAG_RX_RING PACKET_DIAG_TX_RING",
        "u32": "PACKET_DIAG_FANOUT",
        "uid": "PACKET_DIAG_UID",
        "indexed:socket_memory/4": "PACKET_DIAG_MEMINFO",
        "classic_filter": "PACKET_DIAG_FILTER",
    },
    "nla_smc": {
        "struct:smc_diag_conninfo": "SMC_DIAG_CONNINFO",
        "struct:smc_diag_lgrinfo": "SMC_DIAG_LGRINFO",
        "flags:shutdown_bits/1": "SMC_DIAG_SHUTDOWN",
        "struct:smcd_diag_dmbinfo": "SMC_DIAG_DMBINFO",
        "struct:smc_diag_fallback": "SMC_DIAG_FALLBACK",
    },
    "nla_crypto": {
        "u32": "CRYPTOCFGA_PRIORITY_VAL",
        "crypto_type": "CRYPTOCFGA_REPORT_LARVAL CRYPTOCFGA_REPORT_COMPRESS CRYPTOCFGA_REPORT_AKCIPHER "
        "CRYPTOCFGA_REPORT_KPP CRYPTOCFGA_REPORT_ACOMP",
        "struct:crypto_report_hash": "CRYPTOCFGA_REPORT_HASH",
        "struct:crypto_report_blkcipher": "CRYPTOCFGA_REPORT_BLKCIPHER",
        "struct:crypto_report_aead": "CRYPTOCFGA_REPORT_AEAD",
        "struct:crypto_report_rng": "CRYPTOCFGA_REPORT_RNG",
        "struct:crypto_report_cipher": "CRYPTOCFGA_REPORT_CIPHER",
    },
}
