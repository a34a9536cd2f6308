# SPDX-License-Identifier: Apache-2.0
"""Sockets and their options; terminals and other devices by ioctl."""

from __future__ import annotations

TABLE = """
# sockets
socket              one_address_families socket_type socket_protocol
socketpair          one_address_families socket_type uint out:socket_pair
connect             fd in:sockaddr[addrlen] int
bind                fd in:sockaddr[addrlen] int
listen              fd int
shutdown            fd one_shutdown_modes

# the kernel may return a length that exceeds the caller's memory, so the length is read at entry too
accept              fd out:peer[*upeer_addrlen] inout:peer_length
accept4             fd out:peer[*upeer_addrlen] inout:peer_length sock_type_flags
getsockname         fd out:peer[*usockaddr_len] inout:peer_length
getpeername         fd out:peer[*usockaddr_len] inout:peer_length
setsockopt          fd one_socket_levels option_name in:option_given[optlen] int
setsockopt:SO_ATTACH_FILTER fd one_socket_levels option_name in:option_given[optlen]>in:filter_step@8[u16@0] int
setsockopt:SO_ATTACH_REUSEPORT_CBPF fd one_socket_levels option_name in:option_given[optlen]>in:filter_step@8[u16@0] int
getsockopt          fd one_socket_levels option_name out:option[*optlen] inout:option_length

# messages; recvmsg's struct is read at entry too, for msg_namelen
sendto              fd in:sent[len] size msg_flags in:sockaddr[addr_len] int
recvfrom            fd out:received[result] size msg_flags out:peer[*addr_len] inout:peer_length
sendmsg             fd in:msghdr msg_flags
recvmsg             fd inout:msghdr msg_flags
sendmmsg            fd end:mmsghdr[vlen] uint msg_flags
recvmmsg            fd out:mmsghdr[result] uint msg_flags inout:time_limit

# devices
ioctl               fd ioctl_command ioctl_argument
ioctl:TCGETS,TIOCGLCKTRMIOS         fd ioctl_command out:termios
ioctl:TCSETS,TCSETSW,TCSETSF,TIOCSLCKTRMIOS fd ioctl_command in:termios
ioctl:TCGETS2       fd ioctl_command out:termios2
ioctl:TCSETS2,TCSETSW2,TCSETSF2     fd ioctl_command in:termios2
ioctl:TCGETA        fd ioctl_command out:termio
ioctl:TCSETA,TCSETAW,TCSETAF        fd ioctl_command in:termio
ioctl:TIOCGWINSZ    fd ioctl_command out:winsize
ioctl:TIOCSWINSZ    fd ioctl_command in:winsize
ioctl:TIOCMGET      fd ioctl_command out:modem_lines
ioctl:TIOCMSET,TIOCMBIS,TIOCMBIC    fd ioctl_command in:modem_lines
ioctl:TIOCSTI       fd ioctl_command in:bytes[1]
ioctl:TCFLSH        fd ioctl_command one_flush_queues
ioctl:TCXONC        fd ioctl_command one_flow_actions
ioctl:TCSBRK,TCSBRKP,TIOCSCTTY      fd ioctl_command int
ioctl:FIONREAD,FIOGETOWN,SIOCATMARK,SIOCGPGRP                       fd ioctl_command out:ioctl_int
ioctl:TIOCOUTQ,TIOCGPGRP,TIOCGSID,TIOCGETD,TIOCGEXCL                fd ioctl_command out:ioctl_int
ioctl:TIOCGSOFTCAR,TIOCGPTN                                         fd ioctl_command out:ioctl_int
ioctl:FIONBIO,FIOASYNC,FIOSETOWN,SIOCSPGRP,TIOCSPGRP                fd ioctl_command in:ioctl_int
ioctl:SIOCSIFENCAP,TIOCSETD,TIOCPKT,TIOCSSOFTCAR,TIOCSPTLCK                      fd ioctl_command in:ioctl_int
ioctl:SIOCGIFNAME,SIOCGIFINDEX,SIOCGIFFLAGS,SIOCGIFHWADDR           fd ioctl_command inout:ifreq_answer
ioctl:SIOCGIFADDR,SIOCGIFDSTADDR,SIOCGIFBRDADDR,SIOCGIFNETMASK      fd ioctl_command inout:ifreq_answer
ioctl:SIOCGIFMETRIC,SIOCGIFMTU,SIOCGIFTXQLEN,SIOCGIFSLAVE           fd ioctl_command inout:ifreq_answer
ioctl:SIOCGIFMAP                                                    fd ioctl_command inout:ifreq_answer
ioctl:SIOCSIFNAME,SIOCSIFFLAGS,SIOCSIFHWADDR,SIOCSIFHWBROADCAST     fd ioctl_command in:ifreq
ioctl:SIOCSIFADDR,SIOCSIFDSTADDR,SIOCSIFBRDADDR,SIOCSIFNETMASK      fd ioctl_command in:ifreq
ioctl:SIOCSIFMETRIC,SIOCSIFMTU,SIOCSIFTXQLEN,SIOCSIFSLAVE           fd ioctl_command in:ifreq
ioctl:SIOCSIFMAP,SIOCADDMULTI,SIOCDELMULTI                          fd ioctl_command in:ifreq
ioctl:SIOCGIFCONF   fd ioctl_command inout:ifconf>out:ifreq_list@8[u32@0]
ioctl:SIOCBRADDBR,SIOCBRDELBR       fd ioctl_command in:interface_name
ioctl:FICLONE,LOOP_SET_FD,LOOP_CHANGE_FD        fd ioctl_command fd
ioctl:BLKGETSIZE,BLKGETSIZE64,BLKRAGET,BLKFRAGET fd ioctl_command out:ioctl_long
ioctl:BLKROGET,BLKBSZGET,BLKSSZGET,BLKPBSZGET,BLKIOMIN,BLKIOOPT,BLKALIGNOFF,RNDGETENTCNT fd ioctl_command out:ioctl_int
ioctl:BLKROSET,BLKBSZSET,RNDADDTOENTCNT         fd ioctl_command in:ioctl_int
ioctl:BLKDISCARD,BLKSECDISCARD,BLKZEROOUT       fd ioctl_command in:ioctl_range
"""

SIZES: dict[str, int] = {
    "words": 4,
    "ifconf": 16,
    "ifreq": 40,
    "ifreq_answer": 40,
    "ifreq_list": 1,
    "interface_name": 16,
    "inode_flags_word": 4,
    "ioctl_int": 4,
    "ioctl_long": 8,
    "ioctl_range": 16,
    "mmsghdr": 64,
    "modem_lines": 4,
    "msghdr_words": 28,
    "option": 1,
    "option_given": 1,
    "option_length": 4,
    "peer": 1,
    "peer_length": 4,
    "received": 1,
    "sent": 1,
    "sockaddr": 1,
    "socket_pair": 8,
    "termio": 18,
    "termios": 36,
    "termios2": 44,
    "time_limit": 16,
    "winsize": 8,
}
"""Sizes in bytes. `sockaddr` is an address passed in, `peer` one returned; likewise `option_given` and `option`."""
