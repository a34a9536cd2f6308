# SPDX-License-Identifier: Apache-2.0
"""Netlink: attributes of messages by family, and the values in them. Message headers are in `flag_tables.network`."""

from __future__ import annotations

from flag_tables import Table

_LINK = "linux/if_link.h"
_BRIDGE = "linux/if_bridge.h"
_ROUTE = "linux/rtnetlink.h"
_DIAG = "linux/inet_diag.h"
_MULTICAST = "linux/mroute.h"
_MULTICAST6 = "linux/mroute6.h"
_NEIGHBOUR = "linux/neighbour.h"
_NEXTHOP = "linux/nexthop.h"
_FILTER = "linux/netfilter/"


def _set(unknown: str, headers: str, first: str, without: str = "") -> Table:
    # The enumerators of the enumeration that begins with `first`, or has this tag.
    return Table(f"{unknown}_???", headers, enum=first, without=without)


def _messages(unknown: str, header: str, first: str, without: str) -> Table:
    return _set(unknown, f"{_FILTER}{header}", first, without)


_STATES = (
    "TCP_ESTABLISHED TCP_SYN_SENT TCP_SYN_RECV TCP_FIN_WAIT1 TCP_FIN_WAIT2 TCP_TIME_WAIT TCP_CLOSE TCP_CLOSE_WAIT "
    "TCP_LAST_ACK TCP_LISTEN TCP_CLOSING"
)

TABLES = {
    # attributes of route messages
    "nla_link": _set("IFLA", _LINK, "IFLA_UNSPEC", without="IFLA_TARGET_NETNSID"),
    "nla_link_bridge": _set("IFLA_BRIDGE", _BRIDGE, "IFLA_BRIDGE_FLAGS"),
    "nla_link_tunnel": _set("IFLA_BRIDGE_VLAN_TUNNEL", _BRIDGE, "IFLA_BRIDGE_VLAN_TUNNEL_UNSPEC"),
    "nla_link_inet": _set("IFLA_INET", _LINK, "IFLA_INET_UNSPEC"),
    "nla_link_inet6": _set("IFLA_INET6", _LINK, "IFLA_INET6_UNSPEC"),
    "nla_link_mctp": _set("IFLA_MCTP", _LINK, "IFLA_MCTP_UNSPEC"),
    "nla_bridge_port": _set("IFLA_BRPORT", _LINK, "IFLA_BRPORT_UNSPEC"),
    "nla_link_info": _set("IFLA_INFO", _LINK, "IFLA_INFO_UNSPEC"),
    "nla_bridge": _set("IFLA_BR", _LINK, "IFLA_BR_UNSPEC"),
    "nla_querier": _set("BRIDGE_QUERIER", _BRIDGE, "BRIDGE_QUERIER_UNSPEC"),
    "nla_tun": _set("IFLA_TUN", _LINK, "IFLA_TUN_UNSPEC"),
    "nla_vf_list": _set("IFLA_VF_INFO", _LINK, "IFLA_VF_INFO_UNSPEC"),
    "nla_vf": _set("IFLA_VF", _LINK, "IFLA_VF_UNSPEC"),
    "nla_vf_stats": _set("IFLA_VF_STATS", _LINK, "IFLA_VF_STATS_RX_PACKETS"),
    "nla_vf_vlans": _set("IFLA_VF_VLAN_INFO", _LINK, "IFLA_VF_VLAN_INFO_UNSPEC"),
    "nla_vf_ports": _set("IFLA_VF_PORT", _LINK, "IFLA_VF_PORT_UNSPEC"),
    "nla_port": _set("IFLA_VF_PORT", _LINK, "IFLA_PORT_UNSPEC"),
    "nla_xdp": _set("IFLA_XDP", _LINK, "IFLA_XDP_UNSPEC"),
    "nla_proto_down": _set("IFLA_PROTO_DOWN_REASON", _LINK, "IFLA_PROTO_DOWN_REASON_UNSPEC"),
    "nla_addr": _set("IFA", "linux/if_addr.h", "IFA_UNSPEC"),
    "nla_addrlabel": _set("IFAL", "linux/if_addrlabel.h", "IFAL_ADDRESS"),
    "nla_route": _set("RTA", _ROUTE, "rtattr_type_t"),
    "nla_metrics": _set("RTAX", _ROUTE, "RTAX_UNSPEC"),
    "nla_neigh": _set("NDA", _NEIGHBOUR, "NDA_UNSPEC"),
    "nla_fdb": _set("NFEA", _NEIGHBOUR, "NFEA_UNSPEC"),
    "nla_neightbl": _set("NDTA", _NEIGHBOUR, "NDTA_UNSPEC"),
    "nla_neigh_params": _set("NDTPA", _NEIGHBOUR, "NDTPA_UNSPEC"),
    "nla_rule": _set("FRA", "linux/fib_rules.h", "FRA_UNSPEC"),
    "nla_netconf": Table("NETCONFA_???", "linux/netconf.h", match=r"NETCONFA_(?!ALL|MAX)\w+"),
    "nla_nsid": Table("NETNSA_???", "linux/net_namespace.h", match=r"NETNSA_(?!MAX|NSID_)\w+"),
    "nla_dcb": _set("DCB_ATTR", "linux/dcbnl.h", "dcbnl_attrs"),
    "nla_nexthop": _set("NHA", _NEXTHOP, "NHA_UNSPEC"),
    "nla_nexthop_group": _set("NHA_RES_GROUP", _NEXTHOP, "NHA_RES_GROUP_UNSPEC", without=".*UNSPEC"),
    "nla_nexthop_bucket": _set("NHA_RES_BUCKET", _NEXTHOP, "NHA_RES_BUCKET_UNSPEC", without=".*UNSPEC"),
    "nla_mdb_port": _set("MDBA", _BRIDGE, "MDBA_UNSPEC"),
    "nla_mdb": _set("MDBA_MDB", _BRIDGE, "MDBA_MDB_UNSPEC"),
    "nla_mdb_entry": _set("MDBA_MDB_ENTRY", _BRIDGE, "MDBA_MDB_ENTRY_UNSPEC"),
    "nla_mdb_extra": _set("MDBA_MDB_EATTR", _BRIDGE, "MDBA_MDB_EATTR_UNSPEC"),
    "nla_router": _set("MDBA_ROUTER", _BRIDGE, "MDBA_ROUTER_UNSPEC"),
    "nla_router_port": _set("MDBA_ROUTER_PATTR", _BRIDGE, "MDBA_ROUTER_PATTR_UNSPEC"),
    "nla_tc": _set("TCA", _ROUTE, "TCA_UNSPEC"),
    "nla_tc_stats": _set("TCA_STATS", "linux/gen_stats.h", "TCA_STATS_UNSPEC"),
    "nla_tc_sizes": _set("TCA_STAB", "linux/pkt_sched.h", "TCA_STAB_UNSPEC"),
    "nla_tc_action": _set("TCA_ACT", "linux/pkt_cls.h", "TCA_ACT_UNSPEC"),
    "nla_stats": _set("IFLA_STATS", _LINK, "IFLA_STATS_UNSPEC"),
    "nla_stats_mpls": _set("MPLS_STATS", "linux/mpls.h", "MPLS_STATS_UNSPEC"),
    "nla_stats_links": _set("LINK_XSTATS_TYPE", _LINK, "LINK_XSTATS_TYPE_UNSPEC"),
    "nla_stats_bridge": _set("BRIDGE_XSTATS", _BRIDGE, "BRIDGE_XSTATS_UNSPEC"),
    "nla_stats_bond": _set("BOND_XSTATS", "linux/if_bonding.h", "BOND_XSTATS_UNSPEC"),
    "nla_stats_3ad": _set("BOND_XSTATS", "linux/if_bonding.h", "BOND_3AD_STAT_LACPDU_RX"),
    "nla_stats_offload": _set("IFLA_OFFLOAD_XSTATS", _LINK, "IFLA_OFFLOAD_XSTATS_UNSPEC"),
    "nla_cache_report": _set("IPMRA_CREPORT", _MULTICAST, "IPMRA_CREPORT_UNSPEC"),
    "nla_cache_report6": _set("IP6MRA_CREPORT", _MULTICAST6, "IP6MRA_CREPORT_UNSPEC"),
    # attributes of answers, sock_diag messages and crypto messages
    "nla_error": _set("NLMSGERR_ATTR", "linux/netlink.h", "nlmsgerr_attrs"),
    "nla_unix": _set("UNIX_DIAG", "linux/unix_diag.h", "UNIX_DIAG_NAME"),
    "nla_inet": _set("INET_DIAG", _DIAG, "INET_DIAG_NONE"),
    "nla_inet_request": _set("INET_DIAG_REQ", _DIAG, "INET_DIAG_REQ_NONE"),
    "nla_ulp": _set("INET_ULP_INFO", _DIAG, "INET_ULP_INFO_UNSPEC"),
    "nla_ulp_tls": _set("TLS_INFO", "linux/tls.h", "TLS_INFO_UNSPEC"),
    "nla_ulp_mptcp": _set("MPTCP_SUBFLOW_ATTR", "linux/mptcp.h", "MPTCP_SUBFLOW_ATTR_UNSPEC"),
    "nla_storages": _set("SK_DIAG_BPF_STORAGE", "linux/sock_diag.h", "SK_DIAG_BPF_STORAGE_REP_NONE"),
    "nla_storage": _set("SK_DIAG_BPF_STORAGE", "linux/sock_diag.h", "SK_DIAG_BPF_STORAGE_NONE"),
    "nla_netlink": _set("NETLINK_DIAG", "linux/netlink_diag.h", "NETLINK_DIAG_MEMINFO"),
    "nla_packet": _set("PACKET_DIAG", "linux/packet_diag.h", "PACKET_DIAG_INFO"),
    "nla_smc": _set("SMC_DIAG", "linux/smc_diag.h", "SMC_DIAG_NONE"),
    "nla_crypto": _set("CRYPTOCFGA", "linux/cryptouser.h", "crypto_attr_type_t"),
    "nla_flags": Table("NLA_???", "linux/netlink.h", "NLA_F_NESTED NLA_F_NET_BYTEORDER"),
    # values
    "multicast_families": Table("RTNL_FAMILY_???", _ROUTE, "RTNL_FAMILY_IPMR RTNL_FAMILY_IP6MR"),
    "rule_actions": _set("FR_ACT", "linux/fib_rules.h", "FR_ACT_UNSPEC"),
    "rule_flags": Table("FIB_RULE_???", "linux/fib_rules.h", match=r"FIB_RULE_[A-Z]\w+"),
    "nexthop_flags": Table("RTNH_F_???", _ROUTE, match=r"RTNH_F_\w+"),
    "nexthop_groups": _set("NEXTHOP_GRP_TYPE", _NEXTHOP, "NEXTHOP_GRP_TYPE_MPATH"),
    "tunnel_types": _set("LWTUNNEL_ENCAP", "linux/lwtunnel.h", "lwtunnel_encap_types"),
    "dcb_commands": _set("DCB_CMD", "linux/dcbnl.h", "dcbnl_commands"),
    "igmp_messages": Table("IGMPMSG_???", _MULTICAST, match=r"IGMPMSG_\w+"),
    "mrt6_messages": Table("MRT6MSG_???", _MULTICAST6, match=r"MRT6MSG_\w+"),
    "mdb_states": Table("MDB_???", _BRIDGE, "MDB_TEMPORARY MDB_PERMANENT"),
    "mdb_flags": Table("MDB_FLAGS_???", _BRIDGE, match=r"MDB_FLAGS_\w+"),
    "router_types": _set("MDB_RTR_TYPE", _BRIDGE, "MDB_RTR_TYPE_DISABLED"),
    "vlan_flags": Table("BRIDGE_VLAN_INFO_???", _BRIDGE, match=r"BRIDGE_VLAN_INFO_\w+"),
    "bridge_flags": Table("BRIDGE_FLAGS_???", _BRIDGE, match=r"BRIDGE_FLAGS_\w+"),
    "bridge_modes": Table("BRIDGE_MODE_???", _BRIDGE, match=r"BRIDGE_MODE_(VEB|VEPA|UNDEF)"),
    "bridge_options": Table("1<<BR_BOOLOPT_???", _BRIDGE, enum="br_boolopt_id", without="BR_BOOLOPT_MAX", form="1<<{}"),
    "mcast_directions": Table("", _BRIDGE, "BR_MCAST_DIR_RX BR_MCAST_DIR_TX"),
    "fdb_notify": Table("FDB_NOTIFY_???", _NEIGHBOUR, "FDB_NOTIFY_BIT FDB_NOTIFY_INACTIVE_BIT"),
    "neighbour_more_flags": Table("NTF_EXT_???", _NEIGHBOUR, "NTF_EXT_MANAGED NTF_EXT_LOCKED NTF_EXT_EXT_VALIDATED"),
    "link_filter": Table("RTEXT_FILTER_???", _ROUTE, match=r"RTEXT_FILTER_\w+"),
    "link_events": _set("IFLA_EVENT", _LINK, "IFLA_EVENT_NONE"),
    "vf_link_states": _set("IFLA_VF_LINK_STATE", _LINK, "IFLA_VF_LINK_STATE_AUTO"),
    "xdp_attached": _set("XDP_ATTACHED", _LINK, "XDP_ATTACHED_NONE"),
    "xdp_flags": Table("XDP_FLAGS_???", _LINK, "XDP_FLAGS_MODES", match=r"XDP_FLAGS_\w+", without="XDP_FLAGS_MASK"),
    "tun_types": Table("IFF_???", "linux/if_tun.h", "IFF_TUN IFF_TAP"),
    "address_generation": _set("IN6_ADDR_GEN_MODE", _LINK, "in6_addr_gen_mode"),
    "inet6_link_flags": Table(
        "IF_???", "", "IF_RS_SENT=0x10 IF_RA_RCVD=0x20 IF_RA_MANAGED=0x40 IF_RA_OTHERCONF=0x80 IF_READY=0x80000000"
    ),  # net/if_inet6.h, which is not exported
    "inet_config": Table("IPV4_DEVCONF_???", "linux/ip.h", enum="IPV4_DEVCONF_FORWARDING", form="{}-1"),
    "inet6_config": _set("DEVCONF", "linux/ipv6.h", "DEVCONF_FORWARDING", without="DEVCONF_MAX"),
    "ip_counters": _set("IPSTATS_MIB", "linux/snmp.h", "IPSTATS_MIB_NUM"),
    "icmp6_counters": _set("ICMP6_MIB", "linux/snmp.h", "ICMP6_MIB_NUM"),
    "stats_filter": Table("1<<IFLA_STATS_???", _LINK, enum="IFLA_STATS_UNSPEC", form="1<<{}"),
    "action_flags": Table("TCA_ACT_FLAGS_???", "linux/pkt_cls.h", match=r"TCA_ACT_FLAGS_\w+"),
    "action_hardware": Table("TCA_ACT_HW_STATS_???", "linux/pkt_cls.h", match=r"TCA_ACT_HW_STATS_(IMMEDIATE|DELAYED)"),
    # values of sock_diag messages; the states are those of net/tcp_states.h, which glibc's netinet/tcp.h has too
    "tcp_states": Table("TCP_???", "netinet/tcp.h", f"{_STATES} TCP_NEW_SYN_RECV=12"),
    "tcp_state_bits": Table("1<<TCP_???", "netinet/tcp.h", f"{_STATES}", form="1<<{}"),
    "netlink_states": Table("NETLINK_???", "netinet/tcp.h", "NETLINK_UNCONNECTED=0 NETLINK_CONNECTED=1 TCP_CLOSE=7"),
    "unix_show": Table("UDIAG_SHOW_???", "linux/unix_diag.h", match=r"UDIAG_SHOW_\w+"),
    "netlink_show": Table("NDIAG_SHOW_???", "linux/netlink_diag.h", match=r"NDIAG_SHOW_\w+"),
    "netlink_diag_flags": Table("NDIAG_FLAG_???", "linux/netlink_diag.h", match=r"NDIAG_FLAG_\w+"),
    "packet_show": Table("PACKET_SHOW_???", "linux/packet_diag.h", match=r"PACKET_SHOW_\w+"),
    "packet_diag_flags": Table("PDI_???", "linux/packet_diag.h", match=r"PDI_\w+"),
    "packet_versions": _set("TPACKET", "linux/if_packet.h", "tpacket_versions"),
    "inet_extensions": Table(
        "1<<INET_DIAG_???-1", _DIAG, enum="INET_DIAG_NONE", without="INET_DIAG_(NONE|PAD)", form="1<<({}-1)"
    ),
    "inet_bytecodes": _set("INET_DIAG_BC", _DIAG, "INET_DIAG_BC_NOP"),
    "shutdown_bits": Table("???_SHUTDOWN", "", "RCV_SHUTDOWN=1 SEND_SHUTDOWN=2"),
    "tls_versions": Table("TLS_???_VERSION", "linux/tls.h", "TLS_1_2_VERSION TLS_1_3_VERSION"),
    "tls_ciphers": Table("TLS_CIPHER_???", "linux/tls.h", match=r"TLS_CIPHER_[A-Z0-9_]+_(128|256|POLY1305|GCM|CCM)"),
    "tls_configs": Table("TLS_CONF_???", "linux/tls.h", match=r"TLS_CONF_\w+"),
    "mptcp_flags": Table("MPTCP_SUBFLOW_FLAG_???", "linux/mptcp.h", match=r"MPTCP_SUBFLOW_FLAG_\w+"),
    "socket_memory": _set("SK_MEMINFO", "linux/sock_diag.h", "SK_MEMINFO_RMEM_ALLOC", without="SK_MEMINFO_VARS"),
    "smc_extensions": Table(
        "1<<SMC_DIAG_???-1", "linux/smc_diag.h", "SMC_DIAG_CONNINFO SMC_DIAG_LGRINFO", form="1<<({}-1)"
    ),
    "smc_modes": Table("SMC_DIAG_MODE_???", "linux/smc_diag.h", enum="SMC_DIAG_MODE_SMCR"),
    "smc_states": Table(  # net/smc/smc.h, which is not exported
        "SMC_???",
        "",
        "SMC_ACTIVE=1 SMC_INIT=2 SMC_CLOSED=7 SMC_LISTEN=10 SMC_PEERCLOSEWAIT1=20 SMC_PEERCLOSEWAIT2=21 "
        "SMC_APPCLOSEWAIT1=22 SMC_APPCLOSEWAIT2=23 SMC_APPFINCLOSEWAIT=24 SMC_PEERFINCLOSEWAIT=25 "
        "SMC_PEERABORTWAIT=26 SMC_PROCESSABORT=27",
    ),
    "smc_roles": Table("SMC_???", "", "SMC_CLNT=0 SMC_SERV=1"),
    "smc_reasons": Table(  # net/smc/smc_clc.h
        "SMC_CLC_DECL_???",
        "",
        "SMC_CLC_DECL_MEM=0x01010000 SMC_CLC_DECL_TIMEOUT_CL=0x02010000 SMC_CLC_DECL_TIMEOUT_AL=0x02020000 "
        "SMC_CLC_DECL_CNFERR=0x03000000 SMC_CLC_DECL_PEERNOSMC=0x03010000 SMC_CLC_DECL_IPSEC=0x03020000 "
        "SMC_CLC_DECL_NOSMCDEV=0x03030000 SMC_CLC_DECL_MODEUNSUPP=0x03040000 SMC_CLC_DECL_RMBE_EC=0x03050000 "
        "SMC_CLC_DECL_OPTUNSUPP=0x03060000 SMC_CLC_DECL_SYNCERR=0x04000000 SMC_CLC_DECL_PEERDECL=0x05000000 "
        "SMC_CLC_DECL_INTERR=0x99990000 SMC_CLC_DECL_ERR_RTOK=0x99990001 SMC_CLC_DECL_ERR_RDYLNK=0x99990002 "
        "SMC_CLC_DECL_ERR_REGRMB=0x99990003",
    ),
    # message types of other protocols
    "crypto_messages": Table(
        "CRYPTO_MSG_???",
        "linux/cryptouser.h",
        "CRYPTO_MSG_NEWALG CRYPTO_MSG_DELALG CRYPTO_MSG_UPDATEALG CRYPTO_MSG_GETALG CRYPTO_MSG_DELRNG",
    ),
    "selinux_messages": Table("SELNL_MSG_???", "linux/selinux_netlink.h", "SELNL_MSG_SETENFORCE SELNL_MSG_POLICYLOAD"),
    "netfilter_versions": Table("NFNETLINK_???", f"{_FILTER}nfnetlink.h", "NFNETLINK_V0"),
    "netfilter_batches": Table("NFNL_MSG_???", f"{_FILTER}nfnetlink.h", "NFNL_MSG_BATCH_BEGIN NFNL_MSG_BATCH_END"),
    "netfilter_subsystems": Table(
        "NFNL_SUBSYS_???", f"{_FILTER}nfnetlink.h", match=r"NFNL_SUBSYS_\w+", without="NFNL_SUBSYS_COUNT"
    ),
    "nf_ctnetlink": _messages("IPCTNL_MSG_CT", "nfnetlink_conntrack.h", "cntl_msg_types", without="IPCTNL_MSG_MAX"),
    "nf_expectations": _messages(
        "IPCTNL_MSG_EXP", "nfnetlink_conntrack.h", "ctnl_exp_msg_types", without="IPCTNL_MSG_EXP_MAX"
    ),
    "nf_queue": _messages("NFQNL_MSG", "nfnetlink_queue.h", "nfqnl_msg_types", without="NFQNL_MSG_MAX"),
    "nf_log": _messages("NFULNL_MSG", "nfnetlink_log.h", "nfulnl_msg_types", without="NFULNL_MSG_MAX"),
    "nf_osf": _messages("OSF_MSG", "nfnetlink_osf.h", "nf_osf_msg_types", without="OSF_MSG_MAX"),
    "nf_ipset": _messages("IPSET_CMD", "ipset/ip_set.h", "ipset_cmd", without="IPSET_(MSG|CMD)_MAX"),
    "nf_accounting": _messages("NFNL_MSG_ACCT", "nfnetlink_acct.h", "nfnl_acct_msg_types", without=".*_MAX"),
    "nf_timeouts": _messages("IPCTNL_MSG_TIMEOUT", "nfnetlink_cttimeout.h", "ctnl_timeout_msg_types", without=".*_MAX"),
    "nf_helpers": _messages("NFNL_MSG_CTHELPER", "nfnetlink_cthelper.h", "nfnl_cthelper_msg_types", without=".*_MAX"),
    "nf_tables": _messages("NFT_MSG", "nf_tables.h", "nf_tables_msg_types", without=".*_MAX"),
    "nf_compat": Table("NFNL_MSG_COMPAT_???", f"{_FILTER}nf_tables_compat.h", "NFNL_MSG_COMPAT_GET"),
    "nf_hooks": Table("NFT_MSG_HOOK_???", f"{_FILTER}nfnetlink_hook.h", "NFNL_MSG_HOOK_GET"),
}
