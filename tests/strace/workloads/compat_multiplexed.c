/* SPDX-License-Identifier: Apache-2.0 */
/* The network and IPC calls of a 32-bit program that makes them by socketcall and ipc. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "compat.h"

enum { CLOSE = 6, SOCKETCALL = 102, IPC = 117 };
enum { SOCKET = 1, BIND, CONNECT, LISTEN, ACCEPT, GETSOCKNAME, GETPEERNAME, SOCKETPAIR, SEND, RECV, SENDTO, RECVFROM };
enum { SHUTDOWN = 13, SETSOCKOPT, GETSOCKOPT, SENDMSG, RECVMSG, ACCEPT4 };
enum { DO_SEMOP = 1, DO_SEMGET, DO_SEMCTL, DO_SEMTIMEDOP, DO_MSGSND = 11, DO_MSGRCV, DO_MSGGET, DO_MSGCTL };
enum { DO_SHMAT = 21, DO_SHMDT, DO_SHMGET, DO_SHMCTL };
#define IPC_64 0x100

static uint32_t words[8], value, length;
static char buffer[256];
static struct sockaddr_in inet;
static struct sembuf operations[2];
static struct {
	int32_t type;
	char text[32];
} message;
static struct {
	uint32_t base, length;
} parts[2];
static struct {
	uint32_t name, name_length, parts, count, control, control_length, flags;
} header;

static long call(uint32_t which, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e, uint32_t f)
{
	uint32_t given[] = {a, b, c, d, e, f};
	memcpy(words, given, sizeof given);
	return CALL2(SOCKETCALL, which, AT(words));
}

static void sockets(void)
{
	inet.sin_family = AF_INET;
	inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int server = call(SOCKET, AF_INET, SOCK_STREAM, 0, 0, 0, 0);
	value = 1;
	call(SETSOCKOPT, server, SOL_SOCKET, SO_REUSEADDR, AT(&value), sizeof value, 0);
	length = sizeof value;
	call(GETSOCKOPT, server, SOL_SOCKET, SO_TYPE, AT(&value), AT(&length), 0);
	inet.sin_port = htons(18117);
	call(BIND, server, AT(&inet), sizeof inet, 0, 0, 0);
	call(LISTEN, server, 5, 0, 0, 0, 0);
	int client = call(SOCKET, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP, 0, 0, 0);
	call(CONNECT, client, AT(&inet), sizeof inet, 0, 0, 0);
	length = sizeof inet;
	int accepted = call(ACCEPT, server, 0, 0, 0, 0, 0);
	call(GETSOCKNAME, accepted, AT(&inet), AT(&length), 0, 0, 0);
	call(SEND, client, AT("hello, server"), 13, MSG_NOSIGNAL, 0, 0);
	call(RECV, accepted, AT(buffer), sizeof buffer, 0, 0, 0);
	call(SENDTO, accepted, AT("hello, client"), 13, 0, 0, 0);
	call(RECVFROM, client, AT(buffer), sizeof buffer, 0, 0, 0);
	parts[0].base = AT("one"), parts[0].length = 3, parts[1].base = AT("two\n"), parts[1].length = 4;
	header.parts = AT(parts), header.count = 2;
	call(SENDMSG, client, AT(&header), 0, 0, 0, 0);
	parts[0].base = AT(buffer), parts[0].length = 100;
	header.count = 1;
	call(RECVMSG, accepted, AT(&header), 0, 0, 0, 0);
	call(SHUTDOWN, client, SHUT_RDWR, 0, 0, 0, 0);
	inet.sin_port = htons(18118);
	client = call(SOCKET, AF_INET, SOCK_STREAM, 0, 0, 0, 0);
	call(CONNECT, client, AT(&inet), sizeof inet, 0, 0, 0);
	call(SOCKETPAIR, AF_UNIX, SOCK_DGRAM, 0, AT(words + 6), 0, 0);
	call(ACCEPT4, server, 0x10, 0x20, SOCK_NONBLOCK | 0x40, 0, 0);
	CALL2(SOCKETCALL, CONNECT, 8);
	CALL2(SOCKETCALL, 99, AT(words));
}

static void queues(void)
{
	int semaphores = CALL6(IPC, DO_SEMGET, IPC_PRIVATE, 2, IPC_CREAT | 0600, 0, 0);
	value = 1;
	CALL6(IPC, DO_SEMCTL, semaphores, 1, SETVAL | IPC_64, AT(&value), 0);
	operations[0] = (struct sembuf){1, -1, SEM_UNDO};
	CALL6(IPC, DO_SEMOP, semaphores, 1, 0, AT(operations), 0);
	operations[0].sem_flg = IPC_NOWAIT;
	static int32_t limit[2] = {0, 1000};
	CALL6(IPC, DO_SEMTIMEDOP, semaphores, 1, 0, AT(operations), AT(limit));
	CALL6(IPC, DO_SEMCTL, semaphores, 0, IPC_RMID | IPC_64, AT(&value), 0);
	int queue = CALL6(IPC, DO_MSGGET, IPC_PRIVATE, IPC_CREAT | 0600, 0, 0, 0);
	message.type = 3;
	strcpy(message.text, "a message");
	CALL6(IPC, DO_MSGSND, queue, 9, 0, AT(&message), 0);
	static struct {
		uint32_t message;
		int32_t type;
	} kludge;
	kludge.message = AT(&message), kludge.type = -5;
	CALL6(IPC, DO_MSGRCV, queue, 32, 0, AT(&kludge), 0);
	CALL6(IPC, DO_MSGRCV, queue, 32, IPC_NOWAIT, AT(&kludge), 0);
	CALL6(IPC, DO_MSGCTL, queue, IPC_RMID | IPC_64, 0, 0, 0);
	int segment = CALL6(IPC, DO_SHMGET, IPC_PRIVATE, 4096, IPC_CREAT | 0600, 0, 0);
	CALL6(IPC, DO_SHMAT, segment, SHM_RDONLY, AT(&value), 0, 0);
	CALL6(IPC, DO_SHMDT, 0, 0, 0, value, 0);
	CALL6(IPC, DO_SHMCTL, segment, IPC_RMID | IPC_64, 0, 0, 0);
}

int main(void)
{
	unshare(CLONE_NEWIPC); /* numbers begin anew */
	sockets();
	queues();
	return 0;
}
