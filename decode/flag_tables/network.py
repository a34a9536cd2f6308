# SPDX-License-Identifier: Apache-2.0
"""Sockets and their options; terminals and other devices by ioctl."""

from __future__ import annotations

from flag_tables import Table

_TERMBITS = "asm-generic/termbits.h asm-generic/termbits-common.h"

# Bits of NDA_FLAGS_EXT, which are no bits of ndm_flags.
_NTF_EXT = r"NTF_EXT_(MANAGED|LOCKED|EXT_VALIDATED|MASK|SHIFT)"

TABLES = {
    # sockets
    "address_families": Table(
        "AF_???", "bits/socket.h", "AF_UNIX", match=r"AF_[A-Za-z0-9]+", without="AF_MAX", sort=True
    ),
    "ipprotos": Table("IPPROTO_???", "linux/in.h linux/in6.h", match=r"IPPROTO_[A-Z]\w+", without="IPPROTO_MAX"),
    "socktypes": Table(
        "SOCK_???", "sys/socket.h bits/socket_type.h", match=r"SOCK_\w+", without="SOCK_(CLOEXEC|NONBLOCK)"
    ),
    "sock_type_flags": Table("SOCK_???", "sys/socket.h", "SOCK_CLOEXEC SOCK_NONBLOCK"),
    "netlink_protocols": Table(
        "NETLINK_???",
        "linux/netlink.h",
        "NETLINK_ROUTE NETLINK_UNUSED NETLINK_USERSOCK NETLINK_FIREWALL NETLINK_SOCK_DIAG NETLINK_NFLOG NETLINK_XFRM "
        "NETLINK_SELINUX NETLINK_ISCSI NETLINK_AUDIT NETLINK_FIB_LOOKUP NETLINK_CONNECTOR NETLINK_NETFILTER "
        "NETLINK_IP6_FW NETLINK_DNRTMSG NETLINK_KOBJECT_UEVENT NETLINK_GENERIC NETLINK_SCSITRANSPORT "
        "NETLINK_ECRYPTFS NETLINK_RDMA NETLINK_CRYPTO NETLINK_SMC",
    ),
    "netlink_diag_protocols": Table(
        "NETLINK_???",
        "linux/netlink.h linux/netlink_diag.h",
        "NETLINK_ROUTE NETLINK_UNUSED NETLINK_USERSOCK NETLINK_FIREWALL NETLINK_SOCK_DIAG NETLINK_NFLOG NETLINK_XFRM "
        "NETLINK_SELINUX NETLINK_ISCSI NETLINK_AUDIT NETLINK_FIB_LOOKUP NETLINK_CONNECTOR NETLINK_NETFILTER "
        "NETLINK_IP6_FW NETLINK_DNRTMSG NETLINK_KOBJECT_UEVENT NETLINK_GENERIC NETLINK_SCSITRANSPORT "
        "NETLINK_ECRYPTFS NETLINK_RDMA NETLINK_CRYPTO NETLINK_SMC NDIAG_PROTO_ALL",
    ),
    "ethernet_protocols": Table("ETH_P_???", "linux/if_ether.h", match=r"ETH_P_\w+"),
    # Neither the kernel's nor glibc's headers have Bluetooth's.
    "bluetooth_protocols": Table(
        "BTPROTO_???",
        names="BTPROTO_L2CAP=0 BTPROTO_HCI=1 BTPROTO_SCO=2 BTPROTO_RFCOMM=3 BTPROTO_BNEP=4 BTPROTO_CMTP=5 "
        "BTPROTO_HIDP=6 BTPROTO_AVDTP=7",
    ),
    "shutdown_modes": Table("SHUT_???", "sys/socket.h", match=r"SHUT_\w+"),
    # addresses
    "hardware_types": Table("ARPHRD_???", "net/if_arp.h", match=r"ARPHRD_\w+"),
    "packet_types": Table(
        "PACKET_???",
        "linux/if_packet.h",
        "PACKET_HOST PACKET_BROADCAST PACKET_MULTICAST PACKET_OTHERHOST PACKET_OUTGOING PACKET_LOOPBACK PACKET_USER "
        "PACKET_KERNEL",
    ),
    "vsock_cids": Table("", "linux/vm_sockets.h", match=r"VMADDR_CID_\w+"),
    "vsock_ports": Table("", "linux/vm_sockets.h", "VMADDR_PORT_ANY"),
    "vsock_flags": Table("VMADDR_FLAG_???", "linux/vm_sockets.h", "VMADDR_FLAG_TO_HOST"),
    "xdp_socket_flags": Table("XDP_???", "linux/if_xdp.h", "XDP_SHARED_UMEM XDP_COPY XDP_ZEROCOPY XDP_USE_NEED_WAKEUP"),
    "nfc_protocols": Table(
        "NFC_PROTO_???", "linux/nfc.h", match=r"NFC_PROTO_[A-Z0-9_]+", without=r"NFC_PROTO_\w+_MASK"
    ),
    "nfc_services": Table("", "", "LLCP_SAP_SDP=1 LLCP_SAP_IP=2 LLCP_SAP_OBEX=3 LLCP_SAP_SNEP=4 LLCP_SAP_MAX=0xff"),
    "qrtr_nodes": Table("", "linux/qrtr.h", "QRTR_NODE_BCAST"),
    "qrtr_ports": Table("", "linux/qrtr.h", "QRTR_PORT_CTRL"),
    "mctp_nets": Table("", "linux/mctp.h", "MCTP_NET_ANY"),
    "mctp_addresses": Table("", "linux/mctp.h", "MCTP_ADDR_NULL MCTP_ADDR_ANY"),
    # of addresses whose headers the kernel does not export
    "rxrpc_services": Table(
        "???_SERVICE", "", "CM_SERVICE=1 YFS_FS_SERVICE=2500 YFS_CM_SERVICE=2501 YFS_VL_SERVICE=2503"
    ),
    "ieee802154_kinds": Table(
        "IEEE802154_ADDR_???", "", "IEEE802154_ADDR_NONE=0 IEEE802154_ADDR_SHORT=2 IEEE802154_ADDR_LONG=3"
    ),
    "ieee802154_addresses": Table("", "", "IEEE802154_ADDR_UNDEF=0xfffe IEEE802154_ADDR_BROADCAST=0xffff"),
    "ieee802154_pans": Table("", "", "IEEE802154_PANID_BROADCAST=0xffff"),
    "algorithm_flags": Table("CRYPTO_ALG_???", "", "CRYPTO_ALG_KERN_DRIVER_ONLY=0x1000"),
    "hci_channels": Table(
        "HCI_CHANNEL_???",
        "",
        "HCI_CHANNEL_RAW=0 HCI_CHANNEL_USER=1 HCI_CHANNEL_MONITOR=2 HCI_CHANNEL_CONTROL=3 HCI_CHANNEL_LOGGING=4",
    ),
    "bluetooth_addresses": Table("BDADDR_???", "", "BDADDR_BREDR=0 BDADDR_LE_PUBLIC=1 BDADDR_LE_RANDOM=2"),
    "bluetooth_psms": Table(
        "L2CAP_PSM_???",
        "",
        "L2CAP_PSM_SDP=1 L2CAP_PSM_RFCOMM=3 L2CAP_PSM_3DSP=0x21 L2CAP_PSM_IPSP=0x23 L2CAP_PSM_LE_DYN_START=0x80 "
        "L2CAP_PSM_LE_DYN_END=0xff L2CAP_PSM_DYN_START=0x1001 L2CAP_PSM_AUTO_END=0x10ff L2CAP_PSM_DYN_END=0xffff",
    ),
    "bluetooth_cids": Table(
        "L2CAP_CID_???",
        "",
        "L2CAP_CID_SIGNALING=1 L2CAP_CID_CONN_LESS=2 L2CAP_CID_A2MP=3 L2CAP_CID_ATT=4 L2CAP_CID_LE_SIGNALING=5 "
        "L2CAP_CID_SMP=6 L2CAP_CID_SMP_BREDR=7 L2CAP_CID_DYN_START=0x40 L2CAP_CID_LE_DYN_END=0x7f "
        "L2CAP_CID_DYN_END=0xffff",
    ),
    # messages
    "msg_flags": Table(
        "MSG_???",
        "bits/socket.h",
        "MSG_OOB MSG_PEEK MSG_DONTROUTE MSG_CTRUNC MSG_PROBE=0x10 MSG_TRUNC MSG_DONTWAIT MSG_EOR MSG_WAITALL MSG_FIN "
        "MSG_SYN MSG_CONFIRM MSG_RST MSG_ERRQUEUE MSG_NOSIGNAL MSG_MORE MSG_WAITFORONE MSG_SENDPAGE_NOTLAST=0x20000 "
        "MSG_BATCH MSG_NO_SHARED_FRAGS=0x80000 MSG_ZEROCOPY MSG_FASTOPEN MSG_CMSG_CLOEXEC MSG_CMSG_COMPAT=0x80000000",
    ),
    "scm_types": Table(
        "SCM_???",
        "bits/socket.h asm-generic/socket.h",
        "SCM_RIGHTS SCM_CREDENTIALS SCM_SECURITY SCM_PIDFD SO_TIMESTAMP_OLD SO_TIMESTAMPNS_OLD SO_TIMESTAMPING_OLD "
        "SO_WIFI_STATUS SCM_TIMESTAMPING_OPT_STATS SCM_TIMESTAMPING_PKTINFO SO_TXTIME SO_TIMESTAMP_NEW "
        "SO_TIMESTAMPNS_NEW SO_TIMESTAMPING_NEW",
    ),
    "ip_messages": Table(
        "IP_???",
        "linux/in.h",
        "IP_TOS IP_TTL SCM_SECURITY IP_RECVOPTS IP_RETOPTS IP_PKTINFO IP_RECVERR IP_ORIGDSTADDR IP_CHECKSUM",
    ),
    "error_origins": Table("SO_EE_ORIGIN_???", "linux/errqueue.h", match=r"SO_EE_ORIGIN_\w+"),
    # options
    "socket_op": Table("SYS_???", "linux/net.h", match=r"SYS_[A-Z0-9]+"),
    "socket_levels": Table(
        "SOL_??",
        "bits/socket.h asm-generic/socket.h",
        "SOL_IP=0 SOL_SOCKET SOL_TCP=6 SOL_UDP=17 AF_VSOCK=40 SOL_IPV6=41 SOL_ICMPV6=58 SOL_CAN_BASE=100 "
        "SOL_CAN_RAW=101 SOL_SCTP=132 SOL_UDPLITE=136 SOL_IPX=256 SOL_AX25=257 SOL_ATALK=258 SOL_NETROM=259 "
        "SOL_ROSE=260",
        match=r"SOL_\w+",
        sort=True,
    ),
    "so_options": Table(
        "SO_???",
        "asm-generic/socket.h",
        match=r"SO_\w+",
        without=r"SO_(TIMESTAMP(NS|ING)?|RCVTIMEO|SNDTIMEO|.*DEVMEM.*)",
    ),
    "ip_options": Table(
        "IP_???", "linux/in.h", match=r"IP_\w+|MCAST_\w+", without=r"IP_PMTUDISC_\w+|MCAST_(EX|IN)CLUDE"
    ),
    "ipv6_options": Table(
        "IPV6_???",
        "linux/in6.h",
        "MCAST_JOIN_GROUP MCAST_BLOCK_SOURCE MCAST_UNBLOCK_SOURCE MCAST_LEAVE_GROUP MCAST_JOIN_SOURCE_GROUP "
        "MCAST_LEAVE_SOURCE_GROUP MCAST_MSFILTER IPV6_USE_MIN_MTU=63",
        match=r"IPV6_\w+",
        without=r"IPV6_(PMTUDISC|FL|PRIORITY|PREFER|TLV)_\w+",
    ),
    "tcp_options": Table(
        "TCP_???",
        "linux/tcp.h",
        "TCP_COOKIE_TRANSACTIONS=15",
        match=r"TCP_(NODELAY|MAXSEG|CORK|KEEP\w+|SYNCNT|LINGER2|DEFER_ACCEPT|WINDOW_CLAMP|INFO|QUICKACK|CONGESTION"
        r"|MD5SIG(_EXT)?|THIN_\w+|USER_TIMEOUT|REPAIR(_(QUEUE|OPTIONS|WINDOW))?|QUEUE_SEQ|FASTOPEN\w*|TIMESTAMP"
        r"|NOTSENT_LOWAT|CC_INFO|SAVED?_SYN|ULP|ZEROCOPY_RECEIVE|INQ|TX_DELAY|AO_(ADD_KEY|DEL_KEY|INFO|GET_KEYS|REPAIR)"
        r"|IS_MPTCP|RTO_M\w+|DELACK_MAX_US)",
    ),
    "udp_options": Table(
        "UDP_???",
        "linux/udp.h",
        "UDP_CORK UDP_ENCAP UDP_NO_CHECK6_TX UDP_NO_CHECK6_RX UDP_SEGMENT UDP_GRO",
    ),
    "tls_options": Table("TLS_???", "linux/tls.h", "TLS_TX TLS_RX"),
    "packet_options": Table(
        "PACKET_???",
        "linux/if_packet.h",
        "PACKET_ADD_MEMBERSHIP PACKET_DROP_MEMBERSHIP PACKET_RECV_OUTPUT PACKET_RX_RING PACKET_STATISTICS "
        "PACKET_COPY_THRESH PACKET_AUXDATA PACKET_ORIGDEV PACKET_VERSION PACKET_HDRLEN PACKET_RESERVE PACKET_TX_RING "
        "PACKET_LOSS PACKET_VNET_HDR PACKET_TX_TIMESTAMP PACKET_TIMESTAMP PACKET_FANOUT PACKET_TX_HAS_OFF "
        "PACKET_QDISC_BYPASS PACKET_ROLLOVER_STATS PACKET_FANOUT_DATA PACKET_IGNORE_OUTGOING PACKET_VNET_HDR_SZ",
    ),
    "packet_memberships": Table("PACKET_MR_???", "linux/if_packet.h", match=r"PACKET_MR_\w+"),
    "netlink_options": Table(
        "NETLINK_???",
        "linux/netlink.h",
        "NETLINK_ADD_MEMBERSHIP NETLINK_DROP_MEMBERSHIP NETLINK_PKTINFO NETLINK_BROADCAST_ERROR NETLINK_NO_ENOBUFS "
        "NETLINK_RX_RING NETLINK_TX_RING NETLINK_LISTEN_ALL_NSID NETLINK_LIST_MEMBERSHIPS NETLINK_CAP_ACK "
        "NETLINK_EXT_ACK NETLINK_GET_STRICT_CHK",
    ),
    "vsock_options": Table(
        "SO_VM_???",
        "linux/vm_sockets.h",
        "SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD",
        match=r"SO_VM_SOCKETS_\w+",
        without="SO_VM_SOCKETS_CONNECT_TIMEOUT",
    ),
    # Data that is not in the packet: offsets from SKF_AD_OFF in a socket's filter.
    "filter_data": Table("SKF_AD_???", "linux/filter.h", match=r"SKF_AD_\w+", without="SKF_AD_(OFF|MAX)"),
    "raw_options": Table("RAW_???", names="ICMP_FILTER=1"),
    "rehash_modes": Table(
        "SOCK_TXREHASH_???", "linux/socket.h", "SOCK_TXREHASH_DISABLED SOCK_TXREHASH_ENABLED SOCK_TXREHASH_DEFAULT"
    ),
    "icmp_types": Table(
        "ICMP_???",
        "linux/icmp.h",
        "ICMP_ECHOREPLY ICMP_DEST_UNREACH ICMP_SOURCE_QUENCH ICMP_REDIRECT ICMP_ECHO ICMP_TIME_EXCEEDED "
        "ICMP_PARAMETERPROB ICMP_TIMESTAMP ICMP_TIMESTAMPREPLY ICMP_INFO_REQUEST ICMP_INFO_REPLY ICMP_ADDRESS "
        "ICMP_ADDRESSREPLY",
    ),
    # netlink headers: message types and flags of requests, by protocol
    "route_messages": Table("RTM_???", "linux/rtnetlink.h", match=r"RTM_(NEW|DEL|GET|SET)[A-Z]\w*"),
    "diag_messages": Table(
        "SOCK_DIAG_???",
        "linux/inet_diag.h linux/sock_diag.h",
        "TCPDIAG_GETSOCK DCCPDIAG_GETSOCK SOCK_DIAG_BY_FAMILY SOCK_DESTROY",
    ),
    "generic_messages": Table("GENERIC_FAMILY_???", names="nlctrl=0x10"),
    "xfrm_messages": Table(
        "XFRM_MSG_???", "linux/xfrm.h", match=r"XFRM_MSG_[A-Z]\w*", without="XFRM_MSG_(BASE|MAX|MAPPING_.*)"
    ),
    "audit_messages": Table(
        "AUDIT_???",
        "linux/audit.h",
        "AUDIT_GET AUDIT_SET AUDIT_LIST AUDIT_ADD AUDIT_DEL AUDIT_USER AUDIT_LOGIN AUDIT_WATCH_INS AUDIT_WATCH_REM "
        "AUDIT_WATCH_LIST AUDIT_SIGNAL_INFO AUDIT_ADD_RULE AUDIT_DEL_RULE AUDIT_LIST_RULES AUDIT_TRIM "
        "AUDIT_MAKE_EQUIV AUDIT_TTY_GET AUDIT_TTY_SET AUDIT_SET_FEATURE AUDIT_GET_FEATURE AUDIT_USER_AVC "
        "AUDIT_USER_TTY",
    ),
    "netlink_new_flags": Table(
        "NLM_F_???",
        "linux/netlink.h",
        "NLM_F_REQUEST NLM_F_MULTI NLM_F_ACK NLM_F_ECHO NLM_F_DUMP_INTR NLM_F_DUMP_FILTERED NLM_F_REPLACE NLM_F_EXCL "
        "NLM_F_CREATE NLM_F_APPEND",
    ),
    "netlink_get_flags": Table(
        "NLM_F_???",
        "linux/netlink.h",
        "NLM_F_REQUEST NLM_F_MULTI NLM_F_ACK NLM_F_ECHO NLM_F_DUMP_INTR NLM_F_DUMP_FILTERED NLM_F_DUMP NLM_F_ROOT "
        "NLM_F_MATCH NLM_F_ATOMIC",
    ),
    "netlink_delete_flags": Table(
        "NLM_F_???",
        "linux/netlink.h",
        "NLM_F_REQUEST NLM_F_MULTI NLM_F_ACK NLM_F_ECHO NLM_F_DUMP_INTR NLM_F_DUMP_FILTERED NLM_F_NONREC NLM_F_BULK",
    ),
    "ifa_flags": Table("IFA_F_???", "linux/if_addr.h", match=r"IFA_F_[A-Z]\w*", without="IFA_F_TEMPORARY"),
    "service_types": Table(
        "IPTOS_TOS_???", "linux/ip.h", "IPTOS_LOWDELAY IPTOS_THROUGHPUT IPTOS_RELIABILITY IPTOS_MINCOST"
    ),
    "route_scopes": Table("", "linux/rtnetlink.h", match=r"RT_SCOPE_\w+"),
    "route_tables": Table("", "linux/rtnetlink.h", match=r"RT_TABLE_\w+", without="RT_TABLE_MAX"),
    "rule_tables": Table("RT_TABLE_???", "linux/rtnetlink.h", match=r"RT_TABLE_\w+", without="RT_TABLE_MAX"),
    "route_protocols": Table("RTPROT_???", "linux/rtnetlink.h", match=r"RTPROT_\w+"),
    "route_types": Table("RTN_???", "linux/rtnetlink.h", match=r"RTN_\w+", without="RTN_MAX"),
    "route_flags": Table("RTM_F_???", "linux/rtnetlink.h", match=r"RTM_F_\w+"),
    "neighbour_states": Table("NUD_???", "linux/neighbour.h", match=r"NUD_\w+"),
    "neighbour_flags": Table("NTF_???", "linux/neighbour.h", match=r"NTF_\w+", without=_NTF_EXT),
    "netlink_types": Table("NLMSG_???", "linux/netlink.h", "NLMSG_NOOP NLMSG_ERROR NLMSG_DONE NLMSG_OVERRUN"),
    "netlink_answer_flags": Table(
        "NLM_F_???",
        "linux/netlink.h",
        "NLM_F_REQUEST NLM_F_MULTI NLM_F_ACK NLM_F_ECHO NLM_F_DUMP_INTR NLM_F_DUMP_FILTERED NLM_F_CAPPED "
        "NLM_F_ACK_TLVS",
    ),
    "netlink_flags": Table(
        "NLM_F_???",
        "linux/netlink.h",
        "NLM_F_REQUEST NLM_F_MULTI NLM_F_ACK NLM_F_ECHO NLM_F_DUMP_INTR NLM_F_DUMP_FILTERED",
    ),
    # ioctl
    "interface_flags": Table("IFF_???", "net/if.h", match=r"IFF_[A-Z]\w+"),
    # termios: flags, and values that stand for several bits
    "termios_input": Table(
        "I???",
        _TERMBITS,
        "IGNBRK BRKINT IGNPAR PARMRK INPCK ISTRIP INLCR IGNCR ICRNL IUCLC IXON IXANY IXOFF IMAXBEL IUTF8",
    ),
    "termios_output": Table("O???", _TERMBITS, "OPOST OLCUC ONLCR OCRNL ONOCR ONLRET OFILL OFDEL"),
    "termios_newline": Table("NL???", _TERMBITS, "NL0 NL1"),
    "termios_return": Table("CR???", _TERMBITS, "CR0 CR1 CR2 CR3"),
    "termios_tab": Table("TAB???", _TERMBITS, "TAB0 TAB1 TAB2 XTABS"),
    "termios_backspace": Table("BS???", _TERMBITS, "BS0 BS1"),
    "termios_vertical": Table("VT???", _TERMBITS, "VT0 VT1"),
    "termios_feed": Table("FF???", _TERMBITS, "FF0 FF1"),
    "termios_control": Table("C???", _TERMBITS, "CSTOPB CREAD PARENB PARODD HUPCL CLOCAL CMSPAR CRTSCTS"),
    "termios_size": Table("CS???", _TERMBITS, "CS5 CS6 CS7 CS8"),
    "termios_speed": Table("B???", _TERMBITS, match=r"B\d+|BOTHER"),
    "termios_local": Table(
        "L???",
        _TERMBITS,
        "ISIG ICANON XCASE ECHO ECHOE ECHOK ECHONL NOFLSH IEXTEN ECHOCTL ECHOPRT ECHOKE FLUSHO PENDIN TOSTOP EXTPROC",
    ),
    "modem_lines": Table(
        "TIOCM_???",
        "sys/ioctl.h",
        "TIOCM_LE TIOCM_DTR TIOCM_RTS TIOCM_ST TIOCM_SR TIOCM_CTS TIOCM_CAR TIOCM_RNG TIOCM_DSR TIOCM_OUT1=0x2000 "
        "TIOCM_OUT2=0x4000 TIOCM_LOOP=0x8000",
    ),
    "line_disciplines": Table("N_???", "linux/tty.h", match=r"N_[A-Z0-9]+"),
    "inode_flags": Table("FS_???_FL", "linux/fs.h", "FS_INDEX_FL", match=r"FS_\w+_FL", sort=True),
    "flush_queues": Table("TC???", _TERMBITS, "TCIFLUSH TCOFLUSH TCIOFLUSH"),
    "flow_actions": Table("TC???", _TERMBITS, "TCOOFF TCOON TCIOFF TCION"),
}
