/* SPDX-License-Identifier: Apache-2.0 */
/* Pointers within the structs that arguments point at: programs, filters, control blocks, lists. */
#define _GNU_SOURCE
#include <linux/aio_abi.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define AT(x) ((uintptr_t)(x))

static void bpf(void)
{
	struct bpf_insn steps[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 5},
		{.code = BPF_LDX | BPF_W | BPF_MEM, 1, 2, -8, 0x10},
		{.code = BPF_STX | BPF_DW | BPF_MEM, 10, 1, -16, 0},
		{.code = BPF_ALU | BPF_XOR | BPF_X, 3, 4, 0, 0},
		{.code = BPF_JMP | BPF_JNE | BPF_K, 1, 0, 2, 7},
		{.code = BPF_JMP | BPF_JLT | BPF_X, 1, 2, 1, 0},
		{.code = BPF_LD | BPF_DW | BPF_IMM, 1, 0, 0, 9},
		{.code = BPF_JMP | BPF_EXIT},
	};
	char license[] = "GPL and a text that is longer than what is shown", name[] = "sys_enter",
	     path[] = "/no/such/pin";
	union bpf_attr attributes;
	memset(&attributes, 0, sizeof attributes);
	attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attributes.insn_cnt = 8;
	attributes.insns = AT(steps);
	attributes.license = AT(license);
	syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, 48);
	attributes.license = 8;
	syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, 48);
	attributes.insns = 8;
	syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, 48);
	syscall(SYS_bpf, BPF_PROG_LOAD, 8, 48);
	memset(&attributes, 0, sizeof attributes);
	attributes.pathname = AT(path);
	syscall(SYS_bpf, BPF_OBJ_GET, &attributes, 16);
	attributes.pathname = 8;
	syscall(SYS_bpf, BPF_OBJ_GET, &attributes, 16);
	memset(&attributes, 0, sizeof attributes);
	attributes.raw_tracepoint.name = AT(name);
	attributes.raw_tracepoint.prog_fd = -1;
	syscall(SYS_bpf, BPF_RAW_TRACEPOINT_OPEN, &attributes, 12);
}

static void filters(void)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 59, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
		BPF_STMT(BPF_RET | BPF_A, 0),
		BPF_STMT(BPF_ST, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
	};
	struct sock_fprog program = {4, steps};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0x100, &program);
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0x100, 8);
	program.len = 10;
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0x100, &program);
	program.filter = (void *)8;
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0x100, &program);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
	program = (struct sock_fprog){4, steps};
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 8);
}

static void clones(void)
{
	pid_t tids[] = {1, 100000};
	struct clone_args arguments = {.exit_signal = SIGCHLD, .set_tid = AT(tids), .set_tid_size = 2};
	syscall(SYS_clone3, &arguments, 80);
	arguments.set_tid_size = 40;
	syscall(SYS_clone3, &arguments, 80);
	arguments.set_tid = 8;
	arguments.set_tid_size = 1;
	syscall(SYS_clone3, &arguments, 88);
}

static void blocks(void)
{
	char one[] = "one", two[] = "second";
	struct iovec parts[] = {{one, 3}, {two, 6}};
	aio_context_t context = 0;
	char data[] = "data to be written";
	struct iocb write = {.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = -1, .aio_buf = AT(data), .aio_nbytes = 5};
	struct iocb read = {.aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = -1, .aio_buf = AT(data), .aio_nbytes = 5};
	struct iocb sync = {.aio_lio_opcode = IOCB_CMD_FSYNC, .aio_fildes = -1, .aio_flags = 1, .aio_resfd = 3};
	struct iocb poll = {.aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = -1, .aio_buf = 1};
	struct iocb writev = {
		.aio_lio_opcode = IOCB_CMD_PWRITEV, .aio_fildes = -1, .aio_buf = AT(parts), .aio_nbytes = 2};
	struct iocb readv = {
		.aio_lio_opcode = IOCB_CMD_PREADV, .aio_fildes = -1, .aio_buf = AT(parts), .aio_nbytes = 2};
	struct iocb *list[] = {&write, &read, &sync, &poll, &writev, &readv, (void *)8, &write};
	readv.aio_data = 77;
	readv.aio_offset = 9;
	syscall(SYS_io_setup, 4, &context);
	syscall(SYS_io_submit, context, 6L, list);
	syscall(SYS_io_submit, context, 3L, list + 5);
	syscall(SYS_io_submit, context, 1L, 8);
	syscall(SYS_io_cancel, context, &write, 0);
	struct io_event found[2];
	struct {
		uint64_t set, size;
	} mask = {0, 8};
	struct {
		long seconds, nanoseconds;
	} soon = {0, 1000};
	syscall(SYS_io_pgetevents, context, 0L, 2L, found, &soon, 0);
	syscall(SYS_io_pgetevents, context, 0L, 2L, found, &soon, &mask);
	syscall(SYS_io_destroy, context);
}

static void rings(void)
{
	struct io_uring_params parameters;
	memset(&parameters, 0, sizeof parameters);
	int files[] = {0, 1, -1};
	struct iovec parts[] = {{files, 1}, {files, 2}};
	struct {
		uint32_t offset, reserved;
		uint64_t files;
	} update = {1, 0, AT(files)};
	syscall(SYS_io_uring_register, -1, IORING_REGISTER_FILES, files, 3);
	syscall(SYS_io_uring_register, -1, IORING_REGISTER_FILES_UPDATE, &update, 2);
	update.files = 8;
	syscall(SYS_io_uring_register, -1, IORING_REGISTER_FILES_UPDATE, &update, 2);
	struct {
		uint32_t count, flags;
		uint64_t reserved, data, tags;
	} resources = {3, 0, 0, AT(files), 0};
	syscall(SYS_io_uring_register, -1, IORING_REGISTER_FILES2, &resources, 32);
	resources.count = 2;
	resources.data = AT(parts);
	syscall(SYS_io_uring_register, -1, IORING_REGISTER_BUFFERS2, &resources, 32);
	struct {
		uint32_t offset, reserved;
		uint64_t data, tags;
		uint32_t count, reserved2;
	} changes = {1, 0, AT(files), 0, 2, 0};
	syscall(SYS_io_uring_register, -1, IORING_REGISTER_FILES_UPDATE2, &changes, 32);
	unsigned workers[] = {3, 4};
	syscall(SYS_io_uring_register, -1, IORING_REGISTER_IOWQ_MAX_WORKERS, workers, 2);
	syscall(SYS_io_uring_register, -1, IORING_REGISTER_IOWQ_AFF, workers, 8);
	uint64_t set = 4;
	syscall(SYS_io_uring_enter, -1, 1, 1, IORING_ENTER_GETEVENTS, &set, 8);
	syscall(SYS_io_uring_enter, -1, 1, 1, IORING_ENTER_GETEVENTS, &set, 4);
	syscall(SYS_io_uring_enter, -1, 1, 1, 0, 0, 8);
}

static void messages(void)
{
	char one[] = "one", two[] = "second", room[2][32];
	struct iovec parts[] = {{one, 3}, {two, 6}}, into[] = {{room[0], 4}, {room[1], 20}};
	struct mmsghdr sent[3], got[3];
	int ends[2];
	memset(sent, 0, sizeof sent);
	memset(got, 0, sizeof got);
	for (int n = 0; n < 3; n++) {
		sent[n].msg_hdr.msg_iov = parts;
		got[n].msg_hdr.msg_iov = into;
		sent[n].msg_hdr.msg_iovlen = got[n].msg_hdr.msg_iovlen = 2;
	}
	socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
	sent[1].msg_hdr.msg_iov = (void *)8;
	syscall(SYS_sendmmsg, ends[0], sent, 3, 0);
	syscall(SYS_sendmmsg, ends[0], sent, 0, 0);
	syscall(SYS_sendmmsg, ends[0], 8, 2, 0);
	char control[CMSG_SPACE(sizeof(int))];
	struct cmsghdr *rights = (struct cmsghdr *)control;
	memset(control, 0, sizeof control);
	*rights = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(rights), &ends[1], sizeof(int));
	sent[1].msg_hdr.msg_iov = parts;
	sent[1].msg_hdr.msg_control = control;
	sent[1].msg_hdr.msg_controllen = sizeof control;
	syscall(SYS_sendmmsg, ends[0], sent, 2, 0);
	syscall(SYS_recvmmsg, ends[1], got, 3, MSG_DONTWAIT, 0);
	syscall(SYS_recvmmsg, ends[1], got, 3, MSG_DONTWAIT, 0);
}

static void vectors(void)
{
	char text[] = "x";
	struct iovec parts[16], far[] = {{(void *)8, 4}};
	for (int n = 0; n < 16; n++)
		parts[n] = (struct iovec){text, 1};
	writev(-1, parts, 16);
	readv(-1, parts, 2);
	syscall(SYS_readv, -1, 8, 2);
	preadv(-1, parts, 3, 5);
	syscall(SYS_process_vm_writev, getpid(), parts, 1, far, 1, 0);
	syscall(SYS_process_vm_readv, getpid(), parts, 2, far, 1, 0);
	syscall(SYS_vmsplice, -1, parts, 2, 0);
}

int main(void)
{
	bpf();
	clones();
	blocks();
	rings();
	messages();
	vectors();
	filters();
	return 0;
}
