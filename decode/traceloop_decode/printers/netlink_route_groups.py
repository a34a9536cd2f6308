# SPDX-License-Identifier: Apache-2.0
"""Attributes of NETLINK_ROUTE messages by group: word of `netlink_values` -> types.

Sources: linux/rtnetlink.h and the headers of each family; the kernel's policies (struct nla_policy) say what a type
holds, where a header does not.
"""

from __future__ import annotations

from typing import Final

GROUPS: Final[dict[str, dict[str, str]]] = {
    "nla_link": {
        "hwaddr": "IFLA_ADDRESS IFLA_BROADCAST IFLA_PERM_ADDRESS",
        "str": "IFLA_IFNAME IFLA_QDISC IFLA_IFALIAS IFLA_PHYS_PORT_NAME IFLA_ALT_IFNAME IFLA_PARENT_DEV_NAME "
        "IFLA_PARENT_DEV_BUS_NAME",
        "u8": "IFLA_OPERSTATE IFLA_LINKMODE IFLA_CARRIER IFLA_PROTO_DOWN",
        "u32": "IFLA_MTU IFLA_LINK IFLA_MASTER IFLA_TXQLEN IFLA_WEIGHT IFLA_NET_NS_PID IFLA_NUM_VF IFLA_GROUP "
        "IFLA_PROMISCUITY IFLA_NUM_TX_QUEUES IFLA_NUM_RX_QUEUES IFLA_CARRIER_CHANGES IFLA_GSO_MAX_SEGS "
        "IFLA_GSO_MAX_SIZE IFLA_CARRIER_UP_COUNT IFLA_CARRIER_DOWN_COUNT IFLA_MIN_MTU IFLA_MAX_MTU IFLA_GRO_MAX_SIZE "
        "IFLA_TSO_MAX_SIZE IFLA_TSO_MAX_SEGS IFLA_ALLMULTI IFLA_GSO_IPV4_MAX_SIZE IFLA_GRO_IPV4_MAX_SIZE",
        "s32": "IFLA_LINK_NETNSID IFLA_NEW_NETNSID IFLA_IF_NETNSID",
        "ifindex": "IFLA_NEW_IFINDEX",
        "fd": "IFLA_NET_NS_FD",
        "struct:rtnl_link_stats": "IFLA_STATS",
        "struct:rtnl_link_stats64": "IFLA_STATS64",
        "struct:rtnl_link_ifmap": "IFLA_MAP",
        "flags:link_filter/4": "IFLA_EXT_MASK",
        "one:link_events/4": "IFLA_EVENT",
        "nest:nla_link_info": "IFLA_LINKINFO",
        "nest:nla_vf_list": "IFLA_VFINFO_LIST",
        "nest:nla_vf_ports": "IFLA_VF_PORTS",
        "nest:nla_port": "IFLA_PORT_SELF",
        "nest:nla_xdp": "IFLA_XDP",
        "nest:nla_link_names": "IFLA_PROP_LIST",
        "nest:nla_proto_down": "IFLA_PROTO_DOWN_REASON",
        "link_families": "IFLA_AF_SPEC",
        "link_protocol": "IFLA_PROTINFO",
    },
    "nla_link_names": {"str": "IFLA_ALT_IFNAME"},
    "nla_link_info": {
        "link_kind": "IFLA_INFO_KIND",
        "link_data": "IFLA_INFO_DATA",
        "link_counters": "IFLA_INFO_XSTATS",
        "link_port_kind": "IFLA_INFO_SLAVE_KIND",
        "link_port_data": "IFLA_INFO_SLAVE_DATA",
    },
    "nla_bridge": {
        "clock": "IFLA_BR_FORWARD_DELAY IFLA_BR_HELLO_TIME IFLA_BR_MAX_AGE IFLA_BR_AGEING_TIME IFLA_BR_HELLO_TIMER "
        "IFLA_BR_TCN_TIMER IFLA_BR_TOPOLOGY_CHANGE_TIMER IFLA_BR_GC_TIMER IFLA_BR_MCAST_LAST_MEMBER_INTVL "
        "IFLA_BR_MCAST_MEMBERSHIP_INTVL IFLA_BR_MCAST_QUERIER_INTVL IFLA_BR_MCAST_QUERY_INTVL "
        "IFLA_BR_MCAST_QUERY_RESPONSE_INTVL IFLA_BR_MCAST_STARTUP_QUERY_INTVL",
        "u8": "IFLA_BR_VLAN_FILTERING IFLA_BR_TOPOLOGY_CHANGE IFLA_BR_TOPOLOGY_CHANGE_DETECTED IFLA_BR_MCAST_ROUTER "
        "IFLA_BR_MCAST_SNOOPING IFLA_BR_MCAST_QUERY_USE_IFADDR IFLA_BR_MCAST_QUERIER IFLA_BR_NF_CALL_IPTABLES "
        "IFLA_BR_NF_CALL_IP6TABLES IFLA_BR_NF_CALL_ARPTABLES IFLA_BR_VLAN_STATS_ENABLED IFLA_BR_MCAST_STATS_ENABLED "
        "IFLA_BR_MCAST_IGMP_VERSION IFLA_BR_MCAST_MLD_VERSION IFLA_BR_VLAN_STATS_PER_PORT",
        "u16": "IFLA_BR_PRIORITY IFLA_BR_ROOT_PORT IFLA_BR_VLAN_DEFAULT_PVID",
        "u32": "IFLA_BR_STP_STATE IFLA_BR_ROOT_PATH_COST IFLA_BR_MCAST_HASH_ELASTICITY IFLA_BR_MCAST_HASH_MAX "
        "IFLA_BR_MCAST_LAST_MEMBER_CNT IFLA_BR_MCAST_STARTUP_QUERY_CNT",
        "x16": "IFLA_BR_GROUP_FWD_MASK",
        "ether": "IFLA_BR_VLAN_PROTOCOL",
        "hwaddr": "IFLA_BR_GROUP_ADDR",
        "struct:ifla_bridge_id": "IFLA_BR_ROOT_ID IFLA_BR_BRIDGE_ID",
        "struct:br_boolopt_multi": "IFLA_BR_MULTI_BOOLOPT",
        "nest:nla_querier": "IFLA_BR_MCAST_QUERIER_STATE",
    },
    "nla_querier": {
        "in_addr": "BRIDGE_QUERIER_IP_ADDRESS",
        "in6_addr": "BRIDGE_QUERIER_IPV6_ADDRESS",
        "ifindex": "BRIDGE_QUERIER_IP_PORT BRIDGE_QUERIER_IPV6_PORT",
        "clock": "BRIDGE_QUERIER_IP_OTHER_TIMER BRIDGE_QUERIER_IPV6_OTHER_TIMER",
    },
    "nla_bridge_port": {
        "u8": "IFLA_BRPORT_STATE IFLA_BRPORT_MODE IFLA_BRPORT_GUARD IFLA_BRPORT_PROTECT IFLA_BRPORT_FAST_LEAVE "
        "IFLA_BRPORT_LEARNING IFLA_BRPORT_UNICAST_FLOOD IFLA_BRPORT_PROXYARP IFLA_BRPORT_LEARNING_SYNC "
        "IFLA_BRPORT_PROXYARP_WIFI IFLA_BRPORT_TOPOLOGY_CHANGE_ACK IFLA_BRPORT_CONFIG_PENDING "
        "IFLA_BRPORT_MULTICAST_ROUTER IFLA_BRPORT_MCAST_FLOOD IFLA_BRPORT_MCAST_TO_UCAST IFLA_BRPORT_VLAN_TUNNEL "
        "IFLA_BRPORT_BCAST_FLOOD IFLA_BRPORT_NEIGH_SUPPRESS IFLA_BRPORT_ISOLATED IFLA_BRPORT_MRP_RING_OPEN "
        "IFLA_BRPORT_MRP_IN_OPEN IFLA_BRPORT_LOCKED IFLA_BRPORT_MAB IFLA_BRPORT_NEIGH_VLAN_SUPPRESS",
        "u16": "IFLA_BRPORT_PRIORITY IFLA_BRPORT_DESIGNATED_PORT IFLA_BRPORT_DESIGNATED_COST IFLA_BRPORT_ID "
        "IFLA_BRPORT_NO",
        "u32": "IFLA_BRPORT_COST IFLA_BRPORT_MCAST_EHT_HOSTS_LIMIT IFLA_BRPORT_MCAST_EHT_HOSTS_CNT "
        "IFLA_BRPORT_MCAST_N_GROUPS IFLA_BRPORT_MCAST_MAX_GROUPS IFLA_BRPORT_BACKUP_NHID",
        "x16": "IFLA_BRPORT_GROUP_FWD_MASK",
        "ifindex": "IFLA_BRPORT_BACKUP_PORT",
        "clock": "IFLA_BRPORT_MESSAGE_AGE_TIMER IFLA_BRPORT_FORWARD_DELAY_TIMER IFLA_BRPORT_HOLD_TIMER",
        "struct:ifla_bridge_id": "IFLA_BRPORT_ROOT_ID IFLA_BRPORT_BRIDGE_ID",
    },
    "nla_tun": {
        "uid": "IFLA_TUN_OWNER IFLA_TUN_GROUP",
        "one:tun_types/1": "IFLA_TUN_TYPE",
        "u8": "IFLA_TUN_PI IFLA_TUN_VNET_HDR IFLA_TUN_PERSIST IFLA_TUN_MULTI_QUEUE",
        "u32": "IFLA_TUN_NUM_QUEUES IFLA_TUN_NUM_DISABLED_QUEUES",
    },
    "nla_link_bridge": {
        "flags:bridge_flags/2": "IFLA_BRIDGE_FLAGS",
        "one:bridge_modes/2": "IFLA_BRIDGE_MODE",
        "struct+:bridge_vlan_info": "IFLA_BRIDGE_VLAN_INFO",
        "nest:nla_link_tunnel": "IFLA_BRIDGE_VLAN_TUNNEL_INFO",
    },
    "nla_link_tunnel": {
        "u32": "IFLA_BRIDGE_VLAN_TUNNEL_ID",
        "u16": "IFLA_BRIDGE_VLAN_TUNNEL_VID",
        "flags:vlan_flags/2": "IFLA_BRIDGE_VLAN_TUNNEL_FLAGS",
    },
    "nla_link_inet": {"signed:inet_config/4": "IFLA_INET_CONF"},
    "nla_link_inet6": {
        "flags:inet6_link_flags/4": "IFLA_INET6_FLAGS",
        "signed:inet6_config/4": "IFLA_INET6_CONF",
        "indexed:ip_counters/8": "IFLA_INET6_STATS",
        "struct:ifla_cacheinfo": "IFLA_INET6_CACHEINFO",
        "indexed:icmp6_counters/8": "IFLA_INET6_ICMP6STATS",
        "in6_addr": "IFLA_INET6_TOKEN",
        "one:address_generation/1": "IFLA_INET6_ADDR_GEN_MODE",
        "u32": "IFLA_INET6_RA_MTU",
    },
    "nla_link_mctp": {"u32": "IFLA_MCTP_NET"},
    "nla_vf_list": {"nest:nla_vf": "IFLA_VF_INFO"},
    "nla_vf": {
        "struct:ifla_vf_mac": "IFLA_VF_MAC",
        "struct:ifla_vf_vlan": "IFLA_VF_VLAN",
        "struct:ifla_vf_tx_rate": "IFLA_VF_TX_RATE",
        "struct:ifla_vf_spoofchk": "IFLA_VF_SPOOFCHK",
        "struct:ifla_vf_link_state": "IFLA_VF_LINK_STATE",
        "struct:ifla_vf_rate": "IFLA_VF_RATE",
        "struct:ifla_vf_rss_query_en": "IFLA_VF_RSS_QUERY_EN",
        "struct:ifla_vf_trust": "IFLA_VF_TRUST",
        "struct:ifla_vf_broadcast": "IFLA_VF_BROADCAST",
        "vf_guid": "IFLA_VF_IB_NODE_GUID IFLA_VF_IB_PORT_GUID",
        "nest:nla_vf_stats": "IFLA_VF_STATS",
        "nest:nla_vf_vlans": "IFLA_VF_VLAN_LIST",
    },
    "nla_vf_stats": {
        "u64": "IFLA_VF_STATS_RX_PACKETS IFLA_VF_STATS_TX_PACKETS IFLA_VF_STATS_RX_BYTES IFLA_VF_STATS_TX_BYTES "
        "IFLA_VF_STATS_BROADCAST IFLA_VF_STATS_MULTICAST IFLA_VF_STATS_RX_DROPPED IFLA_VF_STATS_TX_DROPPED",
    },
    "nla_vf_vlans": {"struct:ifla_vf_vlan_info": "IFLA_VF_VLAN_INFO"},
    "nla_vf_ports": {"nest:nla_port": "IFLA_VF_PORT"},
    "nla_port": {
        "u32": "IFLA_PORT_VF",
        "str": "IFLA_PORT_PROFILE",
        "struct:ifla_port_vsi": "IFLA_PORT_VSI_TYPE",
        "u8": "IFLA_PORT_REQUEST",
        "u16": "IFLA_PORT_RESPONSE",
    },
    "nla_xdp": {
        "fd": "IFLA_XDP_FD IFLA_XDP_EXPECTED_FD",
        "one:xdp_attached/1": "IFLA_XDP_ATTACHED",
        "flags:xdp_flags/4": "IFLA_XDP_FLAGS",
        "u32": "IFLA_XDP_PROG_ID IFLA_XDP_DRV_PROG_ID IFLA_XDP_SKB_PROG_ID IFLA_XDP_HW_PROG_ID",
    },
    "nla_proto_down": {"x32": "IFLA_PROTO_DOWN_REASON_MASK IFLA_PROTO_DOWN_REASON_VALUE"},
    "nla_addr": {
        "inet": "IFA_ADDRESS IFA_LOCAL IFA_BROADCAST IFA_ANYCAST IFA_MULTICAST",
        "str": "IFA_LABEL",
        "struct:ifa_cacheinfo": "IFA_CACHEINFO",
        "flags:ifa_flags/4": "IFA_FLAGS",
        "u32": "IFA_RT_PRIORITY",
        "s32": "IFA_TARGET_NETNSID",
    },
    "nla_addrlabel": {"inet": "IFAL_ADDRESS", "u32": "IFAL_LABEL"},
    "nla_route": {
        "inet": "RTA_DST RTA_SRC RTA_GATEWAY RTA_PREFSRC RTA_NEWDST",
        "ifindex": "RTA_IIF RTA_OIF",
        "u8": "RTA_PREF RTA_TTL_PROPAGATE RTA_IP_PROTO",
        "u16": "RTA_SPORT RTA_DPORT",
        "u32": "RTA_PRIORITY RTA_PROTOINFO RTA_FLOW RTA_MP_ALGO RTA_MARK RTA_UID",
        "u64": "RTA_EXPIRES",
        "one:route_tables/4": "RTA_TABLE",
        "one:tunnel_types/2": "RTA_ENCAP_TYPE",
        "struct:rta_cacheinfo": "RTA_CACHEINFO",
        "struct:rta_mfc_stats": "RTA_MFC_STATS",
        "nest:nla_metrics": "RTA_METRICS",
        "multipath": "RTA_MULTIPATH",
        "via": "RTA_VIA",
    },
    "nla_metrics": {
        "u32": "RTAX_LOCK RTAX_MTU RTAX_WINDOW RTAX_RTT RTAX_RTTVAR RTAX_SSTHRESH RTAX_CWND RTAX_ADVMSS "
        "RTAX_REORDERING RTAX_HOPLIMIT RTAX_INITCWND RTAX_FEATURES RTAX_RTO_MIN RTAX_INITRWND RTAX_QUICKACK",
        "str": "RTAX_CC_ALGO",
    },
    "nla_neigh": {
        "inet": "NDA_DST",
        "hwaddr": "NDA_LLADDR",
        "struct:nda_cacheinfo": "NDA_CACHEINFO",
        "u32": "NDA_PROBES NDA_VNI NDA_LINK_NETNSID NDA_SRC_VNI NDA_NH_ID",
        "u16": "NDA_VLAN",
        "be16": "NDA_PORT",
        "ifindex": "NDA_IFINDEX NDA_MASTER",
        "one:ipprotos": "NDA_PROTOCOL",
        "nest:nla_fdb": "NDA_FDB_EXT_ATTRS",
        "flags:neighbour_more_flags/4": "NDA_FLAGS_EXT",
        "flags:neighbour_states/2": "NDA_NDM_STATE_MASK",
        "flags:neighbour_flags/1": "NDA_NDM_FLAGS_MASK",
    },
    "nla_fdb": {"flags:fdb_notify/1": "NFEA_ACTIVITY_NOTIFY"},
    "nla_neightbl": {
        "str": "NDTA_NAME",
        "u32": "NDTA_THRESH1 NDTA_THRESH2 NDTA_THRESH3",
        "u64": "NDTA_GC_INTERVAL",
        "struct:ndt_config": "NDTA_CONFIG",
        "struct:ndt_stats": "NDTA_STATS",
        "nest:nla_neigh_params": "NDTA_PARMS",
    },
    "nla_neigh_params": {
        "ifindex": "NDTPA_IFINDEX",
        "u32": "NDTPA_REFCNT NDTPA_QUEUE_LEN NDTPA_APP_PROBES NDTPA_UCAST_PROBES NDTPA_MCAST_PROBES NDTPA_PROXY_QLEN "
        "NDTPA_QUEUE_LENBYTES NDTPA_MCAST_REPROBES",
        "u64": "NDTPA_REACHABLE_TIME NDTPA_BASE_REACHABLE_TIME NDTPA_RETRANS_TIME NDTPA_GC_STALETIME "
        "NDTPA_DELAY_PROBE_TIME NDTPA_ANYCAST_DELAY NDTPA_PROXY_DELAY NDTPA_LOCKTIME NDTPA_INTERVAL_PROBE_TIME_MS",
    },
    "nla_rule": {
        "inet": "FRA_DST FRA_SRC",
        "str": "FRA_IIFNAME FRA_OIFNAME",
        "u8": "FRA_L3MDEV",
        "u32": "FRA_GOTO FRA_PRIORITY FRA_FWMARK FRA_FLOW FRA_SUPPRESS_IFGROUP FRA_SUPPRESS_PREFIXLEN FRA_FWMASK",
        "be64": "FRA_TUN_ID",
        "one:route_tables/4": "FRA_TABLE",
        "one:route_protocols/1": "FRA_PROTOCOL",
        "one:ipprotos": "FRA_IP_PROTO",
        "struct:fib_rule_uid_range": "FRA_UID_RANGE",
        "struct:fib_rule_port_range": "FRA_SPORT_RANGE FRA_DPORT_RANGE",
    },
    "nla_netconf": {
        "ifindex": "NETCONFA_IFINDEX",
        "s32": "NETCONFA_FORWARDING NETCONFA_RP_FILTER NETCONFA_MC_FORWARDING NETCONFA_PROXY_NEIGH "
        "NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN NETCONFA_INPUT NETCONFA_BC_FORWARDING",
    },
    "nla_nsid": {
        "s32": "NETNSA_NSID NETNSA_TARGET_NSID NETNSA_CURRENT_NSID",
        "u32": "NETNSA_PID",
        "fd": "NETNSA_FD",
    },
    "nla_dcb": {},
    "nla_nexthop": {
        "u32": "NHA_ID NHA_BLACKHOLE NHA_GROUPS NHA_FDB",
        "array_of:nexthop_grp": "NHA_GROUP",
        "one:nexthop_groups/2": "NHA_GROUP_TYPE",
        "ifindex": "NHA_OIF NHA_MASTER",
        "inet": "NHA_GATEWAY",
        "one:tunnel_types/2": "NHA_ENCAP_TYPE",
        "nest:nla_nexthop_group": "NHA_RES_GROUP",
        "nest:nla_nexthop_bucket": "NHA_RES_BUCKET",
    },
    "nla_nexthop_group": {
        "u16": "NHA_RES_GROUP_BUCKETS",
        "clock": "NHA_RES_GROUP_IDLE_TIMER NHA_RES_GROUP_UNBALANCED_TIMER NHA_RES_GROUP_UNBALANCED_TIME",
    },
    "nla_nexthop_bucket": {
        "u16": "NHA_RES_BUCKET_INDEX",
        "clock": "NHA_RES_BUCKET_IDLE_TIME",
        "u32": "NHA_RES_BUCKET_NH_ID",
    },
    "nla_mdb_port": {"nest:nla_mdb": "MDBA_MDB", "nest:nla_router": "MDBA_ROUTER"},
    "nla_mdb": {"nest:nla_mdb_entry": "MDBA_MDB_ENTRY"},
    "nla_mdb_entry": {"mdb_entry": "MDBA_MDB_ENTRY_INFO"},
    "nla_mdb_extra": {"clock": "MDBA_MDB_EATTR_TIMER"},
    "nla_router": {"router_port": "MDBA_ROUTER_PORT"},
    "nla_router_port": {
        "clock": "MDBA_ROUTER_PATTR_TIMER MDBA_ROUTER_PATTR_INET_TIMER MDBA_ROUTER_PATTR_INET6_TIMER",
        "one:router_types/1": "MDBA_ROUTER_PATTR_TYPE",
    },
    "nla_tc": {
        "str": "TCA_KIND",
        "u8": "TCA_HW_OFFLOAD",
        "u32": "TCA_FCNT TCA_CHAIN TCA_INGRESS_BLOCK TCA_EGRESS_BLOCK TCA_DUMP_FLAGS",
        "struct:tc_stats": "TCA_STATS",
        "struct:tc_estimator": "TCA_RATE",
        "nest:nla_tc_stats": "TCA_STATS2",
        "nest:nla_tc_sizes": "TCA_STAB",
    },
    "nla_tc_stats": {
        "struct:gnet_stats_basic": "TCA_STATS_BASIC TCA_STATS_BASIC_HW",
        "struct:gnet_stats_rate_est": "TCA_STATS_RATE_EST",
        "struct:gnet_stats_rate_est64": "TCA_STATS_RATE_EST64",
        "struct:gnet_stats_queue": "TCA_STATS_QUEUE",
        "u64": "TCA_STATS_PKT64",
    },
    "nla_tc_sizes": {"struct:tc_sizespec": "TCA_STAB_BASE", "array:2": "TCA_STAB_DATA"},
    "nla_tc_action": {
        "str": "TCA_ACT_KIND",
        "u32": "TCA_ACT_INDEX TCA_ACT_IN_HW_COUNT",
        "nest:nla_tc_stats": "TCA_ACT_STATS",
        "flags:action_flags/4": "TCA_ACT_FLAGS",
        "flags:action_hardware/4": "TCA_ACT_HW_STATS TCA_ACT_USED_HW_STATS",
    },
    "nla_stats": {
        "struct:rtnl_link_stats64": "IFLA_STATS_LINK_64",
        "nest:nla_stats_links": "IFLA_STATS_LINK_XSTATS IFLA_STATS_LINK_XSTATS_SLAVE",
        "nest:nla_stats_offload": "IFLA_STATS_LINK_OFFLOAD_XSTATS",
        "stats_families": "IFLA_STATS_AF_SPEC",
    },
    "nla_stats_mpls": {"struct+:mpls_link_stats": "MPLS_STATS_LINK"},
    "nla_stats_links": {
        "nest:nla_stats_bridge": "LINK_XSTATS_TYPE_BRIDGE",
        "nest:nla_stats_bond": "LINK_XSTATS_TYPE_BOND",
    },
    "nla_stats_bridge": {
        "struct+:bridge_vlan_xstats": "BRIDGE_XSTATS_VLAN",
        "struct+:br_mcast_stats": "BRIDGE_XSTATS_MCAST",
        "struct+:bridge_stp_xstats": "BRIDGE_XSTATS_STP",
    },
    "nla_stats_bond": {"nest:nla_stats_3ad": "BOND_XSTATS_3AD"},
    "nla_stats_3ad": {
        "u64": "BOND_3AD_STAT_LACPDU_RX BOND_3AD_STAT_LACPDU_TX BOND_3AD_STAT_LACPDU_UNKNOWN_RX "
        "BOND_3AD_STAT_LACPDU_ILLEGAL_RX BOND_3AD_STAT_MARKER_RX BOND_3AD_STAT_MARKER_TX BOND_3AD_STAT_MARKER_RESP_RX "
        "BOND_3AD_STAT_MARKER_RESP_TX BOND_3AD_STAT_MARKER_UNKNOWN_RX",
    },
    "nla_stats_offload": {"struct:rtnl_link_stats64": "IFLA_OFFLOAD_XSTATS_CPU_HIT"},
    "nla_cache_report": {
        "one:igmp_messages/1": "IPMRA_CREPORT_MSGTYPE",
        "u32": "IPMRA_CREPORT_VIF_ID IPMRA_CREPORT_TABLE",
        "in_addr": "IPMRA_CREPORT_SRC_ADDR IPMRA_CREPORT_DST_ADDR",
    },
    "nla_cache_report6": {
        "one:mrt6_messages/1": "IP6MRA_CREPORT_MSGTYPE",
        "u32": "IP6MRA_CREPORT_MIF_ID",
        "in6_addr": "IP6MRA_CREPORT_SRC_ADDR IP6MRA_CREPORT_DST_ADDR",
    },
}
