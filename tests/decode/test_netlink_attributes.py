# SPDX-License-Identifier: Apache-2.0
"""Netlink messages are printed as strace prints them: structs, nested attributes, and memory that is not readable."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path
from struct import pack

import pytest

from traceloop_decode.constants import STRUCTS
from traceloop_decode.model import Call
from traceloop_decode.printers.netlink_groups import groups
from traceloop_decode.printers.netlink_memory import NESTED_MAX, Memory
from traceloop_decode.printers.netlink_structs import layout_of
from traceloop_decode.printers.network_netlink import messages
from traceloop_decode.printers.view import View
from traceloop_decode.syscalls import X86_64
from traceloop_decode.values.options import Options

BASE = 0x7F0000001000
ROUTE, SOCK_DIAG, NETFILTER, CRYPTO, SELINUX, UEVENT = 0, 4, 12, 21, 7, 15
AF_UNIX, AF_INET, AF_BRIDGE, AF_INET6 = 1, 2, 7, 10
GETLINK, GETROUTE, GETNEIGH, GETRULE, NEWSTATS = 18, 26, 30, 34, 92
LINK = pack("<BxHiII", AF_UNIX, 772, 1, 1, 0)
LINK_TEXT = (
    '{ifi_family=AF_UNIX, ifi_type=ARPHRD_LOOPBACK, ifi_index=if_nametoindex("lo"), ifi_flags=IFF_UP, ifi_change=0}'
)


def view(**options: object) -> View:
    call = Call(0, 0, 7, 7, "t", X86_64, 44, "sendto", (3, BASE, 0, 0, 0, 0), {})
    return View(call, Options(**options))  # type: ignore[arg-type]


def message(kind: int, payload: bytes, flags: int = 0x300) -> bytes:
    return pack("<IHHII", 16 + len(payload), kind, flags, 0, 0) + payload


def attribute(kind: int, value: bytes) -> bytes:
    return pack("<HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def shown(data: bytes, protocol: int = ROUTE, size: int | None = None, **options: object) -> str:
    memory = Memory(data, BASE, size is not None and size > len(data), view(**options))
    return messages(memory, len(data) if size is None else size, protocol)


def payload(kind: int, data: bytes, protocol: int = ROUTE, **options: object) -> str:
    """The text of a message's payload."""
    return shown(message(kind, data), protocol, **options).partition("nlmsg_pid=0}, ")[2].removesuffix("]")


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        (attribute(3, b"eth0\0"), '[{nla_len=9, nla_type=IFLA_IFNAME}, "eth0"]'),
        (attribute(3, b"eth0"), '[{nla_len=8, nla_type=IFLA_IFNAME}, "eth0"...]'),
        (attribute(4, pack("<I", 1500)), "[{nla_len=8, nla_type=IFLA_MTU}, 1500]"),
        (attribute(4, b"abc"), '[{nla_len=7, nla_type=IFLA_MTU}, "\\x61\\x62\\x63"]'),
        (attribute(0x3FFF, b"ab"), '[{nla_len=6, nla_type=0x3fff /* IFLA_??? */}, "\\x61\\x62"]'),
        (attribute(0x8000 | 4, b""), "{nla_len=4, nla_type=NLA_F_NESTED|IFLA_MTU}"),
        (
            attribute(3, b"lo\0") + attribute(29, pack("<I", 9)),
            (
                '[[{nla_len=7, nla_type=IFLA_IFNAME}, "lo"], [{nla_len=8, nla_type=IFLA_EXT_MASK}, '
                "RTEXT_FILTER_VF|RTEXT_FILTER_SKIP_STATS]]"
            ),
        ),
        (
            attribute(18, attribute(1, b"bridge\0") + attribute(2, attribute(1, pack("<Q", 1234)))),
            (
                '[{nla_len=32, nla_type=IFLA_LINKINFO}, [[{nla_len=11, nla_type=IFLA_INFO_KIND}, "bridge"], '
                "[{nla_len=16, nla_type=IFLA_INFO_DATA}, [{nla_len=12, nla_type=IFLA_BR_FORWARD_DELAY}, "
                "1234 /* 12.34 s */]]]]"
            ),
        ),
        (
            attribute(26, attribute(AF_INET, attribute(1, pack("<ii", 1, -1)))),
            (
                "[{nla_len=20, nla_type=IFLA_AF_SPEC}, [{nla_len=16, nla_type=AF_INET}, [{nla_len=12, "
                "nla_type=IFLA_INET_CONF}, [[IPV4_DEVCONF_FORWARDING-1]=1, [IPV4_DEVCONF_MC_FORWARDING-1]=-1]]]]"
            ),
        ),
        (
            attribute(22, attribute(1, attribute(12, attribute(1, pack("<IIIH2x", 1, 2, 3, 0x0081))))),
            (
                "[{nla_len=32, nla_type=IFLA_VFINFO_LIST}, [{nla_len=28, nla_type=IFLA_VF_INFO}, [{nla_len=24, "
                "nla_type=IFLA_VF_VLAN_LIST}, [{nla_len=20, nla_type=IFLA_VF_VLAN_INFO}, {vf=1, vlan=2, qos=3, "
                "vlan_proto=htons(ETH_P_8021Q)}]]]]"
            ),
        ),
    ],
)
def test_link_attributes(attributes: bytes, text: str) -> None:
    assert payload(GETLINK, LINK + attributes) == f"{LINK_TEXT}, {text}"


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        (
            GETROUTE,
            pack("<8BI", AF_INET, 24, 0, 0, 254, 4, 0, 1, 0)
            + attribute(1, bytes((10, 1, 2, 0)))
            + attribute(9, pack("<HBBi", 8, 1, 0, 1) + pack("<HBBi", 16, 4, 2, 2) + attribute(5, bytes((10, 0, 0, 1)))),
            (
                "{rtm_family=AF_INET, rtm_dst_len=24, rtm_src_len=0, rtm_tos=0, rtm_table=RT_TABLE_MAIN, "
                "rtm_protocol=RTPROT_STATIC, rtm_scope=RT_SCOPE_UNIVERSE, rtm_type=RTN_UNICAST, rtm_flags=0}, "
                '[[{nla_len=8, nla_type=RTA_DST}, inet_addr("10.1.2.0")], [{nla_len=28, nla_type=RTA_MULTIPATH}, '
                '[{rtnh_len=8, rtnh_flags=RTNH_F_DEAD, rtnh_hops=0, rtnh_ifindex=if_nametoindex("lo")}, '
                "[{rtnh_len=16, rtnh_flags=RTNH_F_ONLINK, rtnh_hops=2, rtnh_ifindex=2}, "
                '[{nla_len=8, nla_type=RTA_GATEWAY}, inet_addr("10.0.0.1")]]]]]'
            ),
        ),
        (
            GETNEIGH,
            pack("<B3xiHBB", AF_INET6, 2, 2, 0x80, 1) + attribute(1, bytes(15) + b"\1") + attribute(2, b"\1\2\3\4\5\6"),
            (
                "{ndm_family=AF_INET6, ndm_ifindex=2, ndm_state=NUD_REACHABLE, ndm_flags=NTF_ROUTER, ndm_type=RTN_UNICAST}"
                ', [[{nla_len=20, nla_type=NDA_DST}, inet_pton(AF_INET6, "::1")], [{nla_len=10, nla_type=NDA_LLADDR}, '
                "01:02:03:04:05:06]]"
            ),
        ),
        (GETNEIGH, b"\7" + LINK[1:], LINK_TEXT.replace("AF_UNIX", "AF_BRIDGE")),
        (
            GETRULE,
            pack("<BBBBBBBBI", AF_UNIX, 0, 0, 0, 0, 0, 0, 1, 2) + attribute(15, pack("<I", 77)),
            (
                "{family=AF_UNIX, dst_len=0, src_len=0, tos=0, table=RT_TABLE_UNSPEC, action=FR_ACT_TO_TBL, "
                "flags=FIB_RULE_INVERT}, [{nla_len=8, nla_type=FRA_TABLE}, 0x4d]"
            ),
        ),
        (
            NEWSTATS,
            pack("<BBHII", AF_UNIX, 1, 2, 1, 5),
            (
                '{family=AF_UNIX, pad1=0x1, pad2=0x2, ifindex=if_nametoindex("lo"), '
                "filter_mask=1<<IFLA_STATS_UNSPEC|1<<IFLA_STATS_LINK_XSTATS}"
            ),
        ),
        (0xFFFF, b"\2ab", '{family=AF_INET, data="\\x61\\x62"}'),
        (GETLINK, b"\1ab", "{ifi_family=AF_UNIX, ...}"),
    ],
)
def test_route_messages(kind: int, data: bytes, text: str) -> None:
    assert payload(kind, data) == text


def test_sock_diag_depends_on_the_direction() -> None:
    request = pack("<BBBBIIIII", AF_UNIX, 2, 0, 0, 0x404, 5, 3, 6, 7)
    assert shown(message(20, request, flags=1), SOCK_DIAG).partition("}, ")[2] == (
        "{sdiag_family=AF_UNIX, sdiag_protocol=2, udiag_states=1<<TCP_SYN_SENT|1<<TCP_LISTEN, udiag_ino=5, "
        "udiag_show=UDIAG_SHOW_NAME|UDIAG_SHOW_VFS, udiag_cookie=[6, 7]}]"
    )
    answer = pack("<BBBBIII", AF_UNIX, 1, 1, 0, 5, 6, 7) + attribute(5, pack("<II", 8, 9))
    assert payload(20, answer, SOCK_DIAG) == (
        "{udiag_family=AF_UNIX, udiag_type=SOCK_STREAM, udiag_state=TCP_ESTABLISHED, udiag_ino=5, "
        "udiag_cookie=[6, 7]}, [{nla_len=12, nla_type=UNIX_DIAG_MEMINFO}, [[SK_MEMINFO_RMEM_ALLOC]=8, "
        "[SK_MEMINFO_RCVBUF]=9]]"
    )


def test_netfilter_names_its_subsystems() -> None:
    assert shown(message(0xA00, pack("<BBH", AF_INET, 0, 0x0A00) + attribute(1, b"ab"), 1), NETFILTER) == (
        "[{nlmsg_len=28, nlmsg_type=NFNL_SUBSYS_NFTABLES<<8|NFT_MSG_NEWTABLE, nlmsg_flags=NLM_F_REQUEST, nlmsg_seq=0, "
        "nlmsg_pid=0}, {nfgen_family=AF_INET, version=NFNETLINK_V0, res_id=htons(NFNL_SUBSYS_NFTABLES)}, "
        '[{nla_len=6, nla_type=0x1}, "\\x61\\x62"]]'
    )
    assert "nlmsg_flags=NLM_F_REPLACE|NLM_F_EXCL," in shown(message(0xA00, b""), NETFILTER)
    assert "nlmsg_flags=NLM_F_DUMP," in shown(message(0xA01, b""), NETFILTER)
    assert "nlmsg_type=NFNL_MSG_BATCH_BEGIN," in shown(message(0x10, b""), NETFILTER)


def test_an_answer_repeats_the_message_and_says_why() -> None:
    asked = message(GETLINK, LINK)
    answer = message(2, pack("<i", -22) + asked + attribute(1, b"no\0"), flags=0x200)
    assert shown(answer).endswith(
        f"{{error=-EINVAL, msg=[{{nlmsg_len=32, nlmsg_type=RTM_GETLINK, nlmsg_flags=NLM_F_DUMP, nlmsg_seq=0, "
        f'nlmsg_pid=0}}, {LINK_TEXT}]}}, [{{nla_len=7, nla_type=NLMSGERR_ATTR_MSG}}, "no"]]]'
    )


def test_unreadable_memory_is_shown_by_its_address() -> None:
    whole = message(GETLINK, LINK + attribute(4, pack("<I", 1)))
    size = len(whole)
    assert shown(whole[:-1], size=size).endswith(f"[{{nla_len=8, nla_type=IFLA_MTU}}, {BASE + size - 4:#x}]]")
    assert shown(whole[:-5], size=size).endswith(f"ifi_change=0}}, {BASE + size - 8:#x}]")
    assert shown(whole[:20], size=size).endswith(f"{{ifi_family=AF_UNIX, {BASE + 17:#x}}}]")
    assert shown(whole[:16], size=size).endswith(f"nlmsg_pid=0}}, {BASE + 16:#x}]")
    assert shown(whole[:15], size=size) == f"{BASE:#x}"
    two = whole + whole
    assert shown(two[:-size], size=2 * size).endswith(f", ... /* {BASE + size:#x} */]")


def test_what_the_recorder_cut_is_not_called_unreadable() -> None:
    whole = message(GETLINK, LINK + attribute(4, pack("<I", 1)))
    memory = Memory(whole[:-1], BASE, unreadable=False, view=view())
    assert messages(memory, len(whole), ROUTE).endswith("[{nla_len=8, nla_type=IFLA_MTU}, ...]]")


@pytest.mark.parametrize(("constants", "text"), [("raw", "0x2"), ("verbose", "0x2 /* XDP_ATTACHED_SKB */")])
def test_values_follow_the_style_of_constants(constants: str, text: str) -> None:
    xdp = attribute(43, attribute(2, b"\2"))
    assert payload(GETLINK, LINK + xdp, constants=constants).endswith(f"}}, {text}]]")


def test_layouts_are_the_compilers(tmp_path: Path) -> None:
    system = {"ifinfomsg": "linux/rtnetlink.h", "ndmsg": "linux/rtnetlink.h", "inet_diag_msg": "linux/inet_diag.h"}
    lines = [f"#include <{header}>" for header in sorted(set(system.values()))]
    lines += ["#include <stddef.h>", "#include <stdio.h>", "int main(void) {"]
    expected = []
    for struct in system:
        size, members = STRUCTS[struct]
        lines.append(f'printf("{struct} %zu\\n", sizeof(struct {struct}));')
        expected.append(f"{struct} {size}")
        for member, at, _, _ in members:
            lines.append(f'printf("{member} %zu\\n", offsetof(struct {struct}, {member}));')
            expected.append(f"{member} {at}")
    binary = tmp_path / "layouts"
    subprocess.run(("cc", "-xc", "-", "-o", binary), input="\n".join([*lines, "}"]), text=True, check=True)
    found = subprocess.run([binary], capture_output=True, text=True, check=True).stdout
    assert found.split("\n")[:-1] == expected


def test_every_group_and_struct_compiles() -> None:
    assert len(groups()) > 50
    for struct in STRUCTS:
        assert layout_of(struct).end <= STRUCTS[struct][0]


def test_deep_nesting_ends() -> None:
    route = attribute(9, b"")
    for _ in range(100):
        route = attribute(9, pack("<HBBi", 8 + len(route), 0, 0, 0) + route)
    text = payload(GETROUTE, pack("<8BI", AF_INET, 0, 0, 0, 0, 0, 0, 0, 0) + route)
    assert text.count("RTA_MULTIPATH") == NESTED_MAX
    answer = b""
    for _ in range(100):
        answer = message(2, pack("<i", -1) + answer, flags=0) if answer else message(GETLINK, LINK)
    assert shown(answer).count("error=") == NESTED_MAX


@pytest.mark.parametrize("protocol", [None, *range(23)])
def test_any_bytes_give_text(protocol: int | None) -> None:
    chance = random.Random(protocol)
    for number in range(400):
        family = chance.choice((0, 1, 2, 7, 10, 16, 17, 28, 43, 45, 128, 129))
        data = bytes([family]) + chance.randbytes(chance.choice((3, 7, 11, 15, 63, 71)))
        for _ in range(chance.randrange(4)):
            data += attribute(chance.randrange(60), attribute(chance.randrange(60), chance.randbytes(number % 90)))
        whole = message(chance.randrange(16, 128), data, chance.randrange(0x400))
        whole = whole[: chance.randrange(len(whole) + 1)] if number % 3 else whole
        memory = Memory(whole, BASE, chance.random() < 0.5, view(verbose=number % 2 == 1))
        text = messages(memory, len(whole) + chance.randrange(20), protocol)
        assert text
        assert text.isprintable()
