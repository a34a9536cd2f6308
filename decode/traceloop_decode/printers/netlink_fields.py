# SPDX-License-Identifier: Apache-2.0
"""Kinds of the members of structs in netlink messages: struct -> ``member=kind``, as `netlink_structs` defines them."""

from __future__ import annotations

from typing import Final

FIELDS: Final[dict[str, str]] = {
    # heads of route messages
    "ifinfomsg": "ifi_family=family ifi_type=one:hardware_types ifi_index=ifindex ifi_flags=flags:interface_flags "
    "ifi_change=x",
    "ifaddrmsg": "ifa_family=family ifa_flags=flags:ifa_flags ifa_scope=one:route_scopes ifa_index=ifindex",
    "rtmsg": "rtm_family=family rtm_tos=flags:service_types rtm_table=one:route_tables "
    "rtm_protocol=one:route_protocols rtm_scope=one:route_scopes rtm_type=one:route_types rtm_flags=flags:route_flags",
    "rtnexthop": "rtnh_flags=flags:nexthop_flags rtnh_ifindex=ifindex",
    "ndmsg": "ndm_family=family ndm_ifindex=ifindex ndm_state=flags:neighbour_states ndm_flags=flags:neighbour_flags "
    "ndm_type=one:route_types",
    "tcmsg": "tcm_family=family tcm_ifindex=ifindex tcm__pad1=- tcm__pad2=-",
    "tcamsg": "tca_family=family",
    "rtgenmsg": "rtgen_family=family",
    "ndtmsg": "ndtm_family=family",
    "netconfmsg": "ncm_family=family",
    "fib_rule_hdr": "family=family tos=flags:service_types table=one:rule_tables res1=- res2=- action=one:rule_actions "
    "flags=flags:rule_flags",
    "ifaddrlblmsg": "ifal_family=family ifal_index=ifindex",
    "dcbmsg": "dcb_family=family cmd=one:dcb_commands dcb_pad=-",
    "br_port_msg": "family=family ifindex=ifindex",
    "if_stats_msg": "family=family pad1=x? pad2=x? ifindex=ifindex filter_mask=flags:stats_filter",
    "nhmsg": "nh_family=family nh_scope=one:route_scopes nh_protocol=one:route_protocols resvd=x? "
    "nh_flags=flags:nexthop_flags",
    # in their attributes
    "rtnl_link_stats": "@tx_compressed",
    "rtnl_link_stats64": "@tx_compressed @rx_nohandler",
    "rtnl_link_ifmap": "mem_start=x mem_end=x base_addr=x @port",
    "ifla_bridge_id": "addr=mac",
    "ifla_vf_mac": "mac=mac",
    "ifla_vf_link_state": "link_state=one:vf_link_states",
    "ifla_vf_vlan_info": "vlan_proto=vlan",
    "ifla_vf_broadcast": "broadcast=mac",
    "ifla_port_vsi": "vsi_type_id=bytes pad=bytes?",
    "br_boolopt_multi": "optval=flags:bridge_options optmask=flags:bridge_options",
    "br_mdb_entry": "ifindex=ifindex state=one:mdb_states flags=flags:mdb_flags addr=-",
    "bridge_vlan_info": "flags=flags:vlan_flags",
    "bridge_vlan_xstats": "flags=flags:vlan_flags pad2=x?",
    "br_mcast_stats": " ".join(
        f"{member}=indexed:mcast_directions"
        for member in (
            *("igmp_v1queries", "igmp_v2queries", "igmp_v3queries", "igmp_leaves", "igmp_v1reports", "igmp_v2reports"),
            *("igmp_v3reports", "mld_v1queries", "mld_v2queries", "mld_leaves", "mld_v1reports", "mld_v2reports"),
            *("mcast_bytes", "mcast_packets"),
        )
    ),
    "ndt_config": "ndtc_hash_mask=0x",
    "ndt_stats": "@ndts_forced_gc_runs",
    "rta_cacheinfo": "rta_id=x",
    "nexthop_grp": "weight_high=x? resvd2=x?",
    "tc_stats": "@backlog",
    "gnet_stats_basic": "@packets",
    "tc_estimator": "interval=d",
    "tc_sizespec": "cell_align=d overhead=d",
    # sock_diag
    "unix_diag_req": "sdiag_family=family udiag_states=flags:tcp_state_bits udiag_show=flags:unix_show",
    "unix_diag_msg": "udiag_family=family udiag_type=one:socktypes udiag_state=one:tcp_states",
    "unix_diag_vfs": "udiag_vfs_dev=dev ^udiag_vfs_dev",
    "inet_diag_sockid": "idiag_sport=port idiag_dport=port idiag_src=inet idiag_dst=inet idiag_if=ifindex",
    "inet_diag_req": "idiag_family=family idiag_ext=flags:inet_extensions id=struct:inet_diag_sockid "
    "idiag_states=flags:tcp_state_bits",
    "inet_diag_req_v2": "sdiag_family=family sdiag_protocol=one:ipprotos idiag_ext=flags:inet_extensions "
    "idiag_states=flags:tcp_state_bits id=struct:inet_diag_sockid",
    "inet_diag_msg": "idiag_family=family idiag_state=one:tcp_states id=struct:inet_diag_sockid",
    "inet_diag_bc_op": "code=one:inet_bytecodes",
    "inet_diag_hostcond": "family=family",
    "tcp_bbr_info": "bbr_bw_lo=x bbr_bw_hi=x",
    "netlink_diag_req": "sdiag_family=family sdiag_protocol=one:netlink_diag_protocols ndiag_show=flags:netlink_show",
    "netlink_diag_msg": "ndiag_family=family ndiag_type=one:socktypes ndiag_protocol=one:netlink_protocols "
    "ndiag_state=one:netlink_states",
    "packet_diag_req": "sdiag_family=family sdiag_protocol=x pdiag_show=flags:packet_show",
    "packet_diag_msg": "pdiag_family=family pdiag_type=one:socktypes pdiag_num=one:ethernet_protocols",
    "packet_diag_info": "pdi_index=ifindex pdi_version=one:packet_versions pdi_reserve=u "
    "pdi_flags=flags:packet_diag_flags",
    "packet_diag_ring": "pdr_sizeof_priv=u",
    "smc_diag_req": "diag_family=family diag_ext=flags:smc_extensions id=struct:inet_diag_sockid",
    "smc_diag_msg": "diag_family=family diag_state=one:smc_states diag_mode=- diag_fallback=one:smc_modes "
    "id=struct:inet_diag_sockid",
    "smc_diag_cursor": "reserved=u",
    "smc_diag_conninfo": " ".join(
        f"{cursor}=struct:smc_diag_cursor"
        for cursor in ("rx_prod", "rx_cons", "tx_prod", "tx_cons", "tx_prep", "tx_sent", "tx_fin")
    )
    + " rx_prod_flags=0x rx_conn_state_flags=0x tx_prod_flags=0x tx_conn_state_flags=0x",
    "smc_diag_linkinfo": "ibname=text gid=text peer_gid=text",
    "smc_diag_lgrinfo": "lnk=array:smc_diag_linkinfo role=one:smc_roles",
    "smcd_diag_dmbinfo": "peer_gid=x my_gid=x token=x peer_token=x peer_gid_ext=x my_gid_ext=x @peer_token",
    "smc_diag_fallback": "reason=one!:smc_reasons peer_diagnosis=one!:smc_reasons",
    # other protocols
    "selnl_msg_setenforce": "val=d",
    "crypto_user_alg": "cru_name=text cru_driver_name=text cru_module_name=text cru_type=x cru_mask=x cru_flags=x",
    "crypto_report_hash": "type=text",
    "crypto_report_cipher": "type=text",
    "crypto_report_blkcipher": "type=text geniv=text",
    "crypto_report_aead": "type=text geniv=text",
    "crypto_report_rng": "type=text",
}
