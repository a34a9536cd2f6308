# SPDX-License-Identifier: Apache-2.0
"""Programs that die: what a service in Python does before its end."""

SERVICE = """
import configparser, sys
settings = configparser.ConfigParser()
settings.read_file(open("/etc/shop/app.ini"))
"""
CONNECT = """
import socket, sys, time
for attempt in range(3):
    try:
        socket.create_connection(("db.internal", 15432), timeout=2)
        break
    except OSError as error:
        print(f"attempt {attempt}: {error}", file=sys.stderr, flush=True)
        time.sleep(0.05)
else:
    sys.exit("database is not reachable, giving up")
"""
RESOLVE = """
import socket, sys
try:
    socket.create_connection(("orders.svc.cluster.local", 8080))
except OSError as error:
    sys.exit(f"cannot reach orders: {error}")
"""
BAD_CONFIG = """
import json, sys
text = open("/tmp/app.json").read()
try:
    json.loads(text)
except ValueError as error:
    sys.exit(f"invalid configuration: {error}")
"""
BIND = """
import socket
other = socket.socket()
other.bind(("127.0.0.1", 18080))
other.listen()
server = socket.socket()
server.bind(("127.0.0.1", 18080))
"""
HANG = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
print("ready", flush=True)
client.recv(100)
"""
HANDLES = f"""
import signal
signal.signal(signal.SIGTERM, lambda *_: None)
{HANG}
"""
POOL = """
import queue, socket, threading
server = socket.create_server(("127.0.0.1", 0))
pool = queue.Queue()
pool.put(socket.create_connection(server.getsockname()))
def work():
    connection = pool.get()  # it is never given back
    connection.recv(100)
for _ in range(2):
    threading.Thread(target=work).start()
print("ready", flush=True)
"""
LEAK = """
import os, sys
try:
    kept = [open("/etc/hosts") for _ in range(2000)]
except OSError as error:
    sys.exit(f"cannot accept: {error}")
"""
DISK = """
import sys
with open("/data/orders.db", "wb") as file:
    for _ in range(100):
        file.write(b"x" * 4096)
        file.flush()
"""
TLS = """
import ssl
ssl.create_default_context(cafile="/etc/ssl/private/company-ca.pem")
"""
ZONE = """
import zoneinfo
zoneinfo.ZoneInfo("Europe/Atlantis")
"""
IGNORES = """
import signal, time
print("ready", flush=True)
while True:
    time.sleep(1000)
"""
DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    time.sleep(1000)  # the kernel ends it with the first process
"""
FORKS = """
import os, sys, time
for n in range(100):
    try:
        if os.fork() == 0:
            time.sleep(100)
    except OSError as error:
        sys.exit(f"cannot start worker {n}: {error}")
"""
THREADS = """
import threading
a, b, both = threading.Lock(), threading.Lock(), threading.Barrier(2)
def one():
    with a:
        both.wait()
        with b: pass
def two():
    with b:
        both.wait()
        with a: pass
print("ready", flush=True)
threads = [threading.Thread(target=each) for each in (one, two)]
[each.start() for each in threads]
[each.join() for each in threads]
"""
MEMORY = """
kept = []
while True:
    kept.append(bytearray(b"x" * (1 << 20)))
"""
PORTS = """
import socket, struct, sys
server = socket.create_server(("127.0.0.1", 0), backlog=4)
kept = []
try:
    for _ in range(40000):
        client = socket.socket()
        client.setsockopt(socket.IPPROTO_IP, 51, struct.pack("HH", 40000, 40003))  # IP_LOCAL_PORT_RANGE
        client.connect(server.getsockname())
        kept += client, server.accept()
except OSError as error:
    sys.exit(f"no connection to the cache: {error}")
"""
CAPABILITY = """
import socket
server = socket.socket()
server.bind(("127.0.0.1", 80))
"""
CHOWN = """
import os
open("/tmp/data", "w").close()
os.chown("/tmp/data", 1000, 1000)
"""
GRACEFUL = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("ready", flush=True)
while True:
    time.sleep(1000)
"""
NO_SUCH_HOST = """
import socket, sys, threading
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
def answer():
    while True:
        data, peer = server.recvfrom(512)
        server.sendto(data[:2] + bytes((0x81, 0x83)) + data[4:], peer)
threading.Thread(target=answer, daemon=True).start()
try:
    socket.getaddrinfo("db.shop.example", 5432)
except OSError as error:
    sys.exit(f"no database: {error}")
"""
WORKER = """
import ctypes, os, sys
if os.fork() == 0:
    ctypes.string_at(8)
os.wait()
sys.exit("a worker died")
"""
HEALTHY = """
import json, sys
print(json.dumps({"done": 3}))
"""
LOCALE = """
import locale
locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
"""
