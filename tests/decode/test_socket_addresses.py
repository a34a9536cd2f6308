# SPDX-License-Identifier: Apache-2.0
"""Socket addresses of all families, and the options of sockets, are printed as strace prints them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from struct import pack

import pytest
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.events import events
from traceloop_decode.printers.network_address import sockaddr
from traceloop_decode.syscalls import X86_64
from traceloop_decode.text import strace
from traceloop_decode.values.options import Options

NUMBERS = {call.name: number for number, call in X86_64.table().items()}
VALUE = 0x7F0000001000
SOL_IP, SOL_SOCKET, SOL_RAW, SOL_PACKET = 0, 1, 255, 263


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (pack("<H", 1) + b"0" * 112, f'{{sa_family=AF_UNIX, sun_path="{"0" * 108}"}}'),
        (
            pack("<H", 3) + bytes(ord(c) << 1 for c in "VALID ") + bytes((0x1A, 0, 0, 0)) + pack("<i", 0),
            "{sa_family=AF_AX25, sax25_call=VALID-13, sax25_ndigis=0}",
        ),
        (
            pack("<H", 3) + bytes(ord(c) << 1 for c in "VALID ") + bytes((0x1A, 0, 0, 0)) + pack("<i", 2)
            + bytes((0x40,) * 6) + b"\0" + bytes(ord(c) << 1 for c in "A*BCDE") + b"\2",
            ("{sa_family=AF_AX25, fsa_ax25={sax25_call=VALID-13, sax25_ndigis=2}, fsa_digipeater=[*, "
            '{ax25_call="\\x82\\x54\\x84\\x86\\x88\\x8a\\x02"}]}'),
        ),
        (
            pack("<H", 4) + pack(">HI", 12345, 0xFACEFEED) + b"ABCDEF\xff\0",
            ("{sa_family=AF_IPX, sipx_port=htons(12345), sipx_network=htonl(0xfacefeed), "
            "sipx_node=[0x41, 0x42, 0x43, 0x44, 0x45, 0x46], sipx_type=0xff}"),
        ),
        (pack("<H", 9) + b"0123456789\0".ljust(16, b"x"), '{sa_family=AF_X25, sx25_addr={x25_addr="0123456789"}}'),
        (
            pack("<HHiHBB8s", 17, 0x300, -1, 1, 0, 0, b""),
            ("{sa_family=AF_PACKET, sll_protocol=htons(ETH_P_ALL), sll_ifindex=4294967295, sll_hatype=ARPHRD_ETHER, "
            "sll_pkttype=PACKET_HOST, sll_halen=0}"),
        ),
        (
            pack("<HH", 31, 1) + bytes(range(6)) + pack("<H", 0x41),
            ("{sa_family=AF_BLUETOOTH, l2_psm=htobs(L2CAP_PSM_SDP), l2_bdaddr=00:01:02:03:04:05, "
            "l2_cid=htobs(L2CAP_CID_DYN_START+1)}"),
        ),
        (
            pack("<HHHH", 33, 2500, 3, 16) + pack("<H", 2) + pack(">H", 7000) + bytes((127, 0, 0, 1)) + bytes(20),
            ("{sa_family=AF_RXRPC, srx_service=0x9c4 /* YFS_FS_SERVICE */, transport_type=SOCK_RAW, transport_len=16, "
            'transport={sin={sin_family=AF_INET, sin_port=htons(7000), sin_addr=inet_addr("127.0.0.1")}}}'),
        ),
        (
            pack("<H2xiH", 36, 2, 0xFFFF) + pack("<H", 0xFFFE) + bytes(8),
            ("{sa_family=AF_IEEE802154, addr={addr_type=0x2 /* IEEE802154_ADDR_SHORT */, "
            "pan_id=0xffff /* IEEE802154_PANID_BROADCAST */, short_addr=0xfffe /* IEEE802154_ADDR_UNDEF */}}"),
        ),
        (
            pack("<H14sII", 38, b"hash", 0, 0x1001) + b"sha256\0",
            ('{sa_family=AF_ALG, salg_type="hash", salg_feat=0, '
            'salg_mask=0x1001 /* CRYPTO_ALG_KERN_DRIVER_ONLY|0x1 */, salg_name="sha256"}'),
        ),
        (
            pack("<H2xIII", 39, 1, 2, 5),
            '{sa_family=AF_NFC, dev_idx=if_nametoindex("lo"), target_idx=0x2, nfc_protocol=NFC_PROTO_NFC_DEP}',
        ),
        (
            pack("<HHIIB3s", 40, 0, 5, 4, 1, b""),
            "{sa_family=AF_VSOCK, svm_cid=0x4, svm_port=0x5, svm_flags=VMADDR_FLAG_TO_HOST}",
        ),
        (pack("<H2xII", 42, 0xFFFFFFFF, 1), "{sa_family=AF_QIPCRTR, sq_node=QRTR_NODE_BCAST, sq_port=0x1}"),
        (
            pack("<HHIIi", 44, 1, 2, 3, 7),
            "{sa_family=AF_XDP, sxdp_flags=XDP_SHARED_UMEM, sxdp_ifindex=2, sxdp_queue_id=3, sxdp_shared_umem_fd=7}",
        ),
        (
            pack("<HHIBBBB", 45, 0, 0, 255, 1, 8, 0),
            ("{sa_family=AF_MCTP, smctp_network=MCTP_NET_ANY, smctp_addr={s_addr=MCTP_ADDR_ANY}, smctp_type=0x1, "
            "smctp_tag=0x8}"),
        ),
    ],
)  # fmt: skip
def test_addresses(data: bytes, text: str) -> None:
    assert sockaddr(data, Options()) == text


def test_any_bytes_are_an_address() -> None:
    chance = random.Random(1)
    for family in range(60):
        for size in range(2, 130):
            text = sockaddr(pack("<H", family) + chance.randbytes(size - 2), Options())
            assert text is not None
            assert text.startswith("{sa_family=")


@pytest.fixture
def value() -> Callable[..., str]:
    """Returns the text of an option's value, and what follows it."""

    def text(name: str, level: int, option: int, items: bytes, *, length: int, result: int = 0) -> str:
        ring = RingWriter()
        last = VALUE + 0x1000 if name == "getsockopt" else length
        lengths = [item(4, layout.KIND_BUFFER, pack("<i", length), flags=flags) for flags in (0, layout.ITEM_OUT)]
        late = name == "getsockopt"
        ring.enter(0, 7, NUMBERS[name], 3, level, option, VALUE, last, items=lengths[0] if late else items)
        ring.exit(0, 7, NUMBERS[name], result, items=items + lengths[1] if late else b"")
        snapshot = ring.snapshot()
        (line,) = (line for line in strace.lines(events(snapshot), snapshot) if "sockopt" in line)
        match = re.search(r"sockopt\(3, \w+, \w+, (.*)\) += ", line)
        assert match is not None, line
        return match[1]

    return text


@pytest.mark.parametrize(
    ("level", "option", "data", "text"),
    [
        (SOL_SOCKET, 17, pack("<iii", 5, 0, -1), "{pid=5, uid=0, gid=-1}, [12]"),
        (SOL_SOCKET, 17, pack("<ii", 5, 0) + b"\1\2", '{pid=5, uid=0, gid="\\x01\\x02"}, [10]'),
        (SOL_SOCKET, 17, b"\1\2", '{pid="\\x01\\x02"}, [2]'),
        (SOL_SOCKET, 13, pack("<i", 1) + b"\7", '{l_onoff=1, l_linger="\\x07"}, [5]'),
        (SOL_SOCKET, 4, pack("<i", 111), "[ECONNREFUSED], [4]"),
        (SOL_SOCKET, 4, b"\x6f", '"\\x6f", [1]'),
        (SOL_PACKET, 6, pack("<III", 1, 2, 3), "{tp_packets=1, tp_drops=2, tp_freeze_q_cnt=3}, [12]"),
        (SOL_RAW, 1, pack("<I", 0xFFFFFFFE), "~[ICMP_ECHOREPLY], [4]"),
    ],
)
def test_returned_options(value: Callable[..., str], level: int, option: int, data: bytes, text: str) -> None:
    got = item(3, layout.KIND_BUFFER, data, flags=layout.ITEM_OUT)
    assert value("getsockopt", level, option, got, length=len(data)) == text


GROUP = pack("<I4x", 1) + pack("<H", 2) + pack(">H", 65535) + bytes((224, 0, 0, 3)) + bytes(120)


@pytest.mark.parametrize(
    ("level", "option", "data", "text"),
    [
        (
            SOL_IP, 42, GROUP,
            ('{gr_interface=if_nametoindex("lo"), gr_group={sa_family=AF_INET, sin_port=htons(65535), '
            'sin_addr=inet_addr("224.0.0.3")}}, 136'),
        ),
        (SOL_IP, 42, GROUP, f"{VALUE:#x}, 135"),
        (SOL_RAW, 1, pack("<I", 5), "[ICMP_ECHOREPLY 0x2 /* ICMP_??? */], 4"),
        (SOL_SOCKET, 74, pack("<i", 1), "[SOCK_TXREHASH_ENABLED], 4"),
        (SOL_SOCKET, 74, pack("<i", -2), "[-2 /* SOCK_TXREHASH_??? */], 4"),
        (SOL_PACKET, 5, pack("<IIII", 1, 2, 3, 4), f"{VALUE:#x}, 17"),
    ],
)  # fmt: skip
def test_given_options(value: Callable[..., str], level: int, option: int, data: bytes, text: str) -> None:
    length = text.rpartition(" ")[2]
    sent = item(3, layout.KIND_BUFFER, data, size=int(length))
    assert value("setsockopt", level, option, sent, length=int(length)) == text


def test_an_option_that_could_not_be_read_is_an_address(value: Callable[..., str]) -> None:
    cut = item(3, layout.KIND_BUFFER, b"\1\2\3", size=8, flags=layout.ITEM_FAULT)
    assert value("setsockopt", SOL_SOCKET, 3, cut, length=8, result=-14) == f"{VALUE:#x}, 8"
