/* SPDX-License-Identifier: Apache-2.0 */
/* Passes a word of each class of memory to the kernel, in every possible way: see test_capture_policy_kernel.py. The
 * calls need not succeed; no word may be next to one of another class in memory. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PAYLOAD "Payload-of-12-words"
#define SIZE sizeof PAYLOAD

static char here[SIZE + 1], there[64];

static void files(const char *path)
{
	struct iovec one[] = {{PAYLOAD, SIZE}}, in[] = {{there, SIZE}};
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	write(fd, PAYLOAD, SIZE);
	pwrite(fd, PAYLOAD, SIZE, 0);
	writev(fd, one, 1);
	pwritev(fd, one, 1, 0);
	pwritev2(fd, one, 1, 0, 0);
	pread(fd, there, SIZE, 0);
	preadv(fd, in, 1, 0);
	lseek(fd, 0, SEEK_SET);
	read(fd, there, SIZE);
	readv(fd, in, 1);
	fsetxattr(fd, "user.Name-of-attribute", PAYLOAD, SIZE, 0);
	fgetxattr(fd, "user.Name-of-attribute", there, SIZE);
	setxattr(path, "user.Name-of-attribute", PAYLOAD, SIZE, 0);
	mount("none", "/nonexistent", "nosuchfs", 0, PAYLOAD);
	struct iovec mine = {here, SIZE}, other = {there, SIZE};
	strcpy(here, PAYLOAD);
	process_vm_writev(getpid(), &mine, 1, &other, 1, 0);
	process_vm_readv(getpid(), &mine, 1, &other, 1, 0);
	int fs = syscall(430 /* fsopen */, "tmpfs", 0);
	syscall(431 /* fsconfig */, fs, 1 /* FSCONFIG_SET_STRING */, "mode", PAYLOAD, 0);
	char link[200], target[200];
	snprintf(link, sizeof link, "%s.link", path);
	symlink(path, link);
	readlink(link, target, sizeof target);
	unlink(link);
	close(fd);
}

static void control_blocks(const char *path)
{
	struct iovec one = {PAYLOAD, SIZE};
	int fd = open(path, O_RDWR);
	struct iocb plain = {
		.aio_fildes = fd, .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_buf = (long)PAYLOAD, .aio_nbytes = SIZE};
	struct iocb vector = {
		.aio_fildes = fd, .aio_lio_opcode = IOCB_CMD_PWRITEV, .aio_buf = (long)&one, .aio_nbytes = 1};
	struct iocb *blocks[] = {&plain, &vector};
	aio_context_t context = 0;
	syscall(SYS_io_setup, 4, &context);
	syscall(SYS_io_submit, context, 2, blocks);
	syscall(SYS_io_destroy, context);
	close(fd);
}

static void messages(void)
{
	struct sockaddr_un name = {AF_UNIX, "\0Address-of-socket"};
	socklen_t size = sizeof(sa_family_t) + 18, got_size = sizeof name;
	struct iovec one = {PAYLOAD, SIZE}, in = {there, SIZE};
	union {
		char bytes[CMSG_SPACE(SIZE)];
		struct cmsghdr header;
	} control = {.header = {CMSG_LEN(SIZE), SOL_SOCKET, 99}};
	memcpy(CMSG_DATA(&control.header), PAYLOAD, SIZE);
	struct msghdr message = {.msg_name = &name, .msg_namelen = size, .msg_iov = &one, .msg_iovlen = 1};
	struct msghdr got = {.msg_iov = &in, .msg_iovlen = 1};
	struct mmsghdr many = {.msg_hdr = message};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	bind(fd, (void *)&name, size);
	sendto(fd, PAYLOAD, SIZE, 0, (void *)&name, size);
	recvfrom(fd, there, SIZE, 0, (void *)&name, &got_size);
	sendmsg(fd, &message, 0);
	recvmsg(fd, &got, 0);
	message.msg_control = control.bytes;
	message.msg_controllen = sizeof control;
	sendmsg(fd, &message, 0);
	sendmmsg(fd, &many, 1, 0);
	recvmmsg(fd, &many, 1, MSG_DONTWAIT, NULL);
	setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, PAYLOAD, SIZE);
	int queue = msgget(IPC_PRIVATE, 0600);
	struct {
		long type;
		char text[SIZE];
	} text = {1, PAYLOAD};
	msgsnd(queue, &text, SIZE, 0);
	msgrcv(queue, &text, SIZE, 0, 0);
	msgctl(queue, IPC_RMID, 0);
	mqd_t other = mq_open("/tl-secrets", O_RDWR | O_CREAT, 0600, NULL);
	mq_send(other, PAYLOAD, SIZE, 0);
	mq_unlink("/tl-secrets");
	syscall(SYS_add_key, "user", "Name-of-key", PAYLOAD, SIZE, -3 /* KEY_SPEC_SESSION_KEYRING */);
}

int main(int argc, char **argv)
{
	char *words[] = {"true", "Argv-word", NULL}, *none[] = {NULL};
	files(argv[argc - 1]);
	control_blocks(argv[argc - 1]);
	messages();
	execve("/nonexistent", words, none);
	prctl(PR_SET_NAME, "Name-of-thread");
	if (fork() == 0)
		execve("/bin/true", words, none);
	wait(NULL);
	return 0;
}
