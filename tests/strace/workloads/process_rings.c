// SPDX-License-Identifier: Apache-2.0
// BPF, performance events, io_uring and asynchronous input and output.
#define _GNU_SOURCE
#include <linux/aio_abi.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static long bpf(long command, void *attribute, size_t size)
{
	return syscall(SYS_bpf, command, attribute, size);
}

static union bpf_attr attribute;

static union bpf_attr *cleared(void)
{
	memset(&attribute, 0, sizeof attribute);
	return &attribute;
}

int main(void)
{
	static long key, value;

	cleared();
	attribute.map_type = BPF_MAP_TYPE_HASH;
	attribute.key_size = 4, attribute.value_size = 8, attribute.max_entries = 10;
	int map = bpf(BPF_MAP_CREATE, &attribute, 20);
	strcpy(attribute.map_name, "named");
	bpf(BPF_MAP_CREATE, &attribute, 48);
	attribute.map_flags = BPF_F_NO_PREALLOC | 0x80000;
	bpf(BPF_MAP_CREATE, &attribute, sizeof attribute);
	cleared()->map_fd = map;
	attribute.key = (uintptr_t)&key, attribute.value = (uintptr_t)&value;
	bpf(BPF_MAP_UPDATE_ELEM, &attribute, 32);
	bpf(BPF_MAP_LOOKUP_ELEM, &attribute, 32);
	attribute.next_key = (uintptr_t)&value;
	bpf(BPF_MAP_GET_NEXT_KEY, &attribute, 32);
	bpf(BPF_MAP_DELETE_ELEM, &attribute, 32);
	attribute.flags = BPF_NOEXIST;
	attribute.map_fd = -1;
	bpf(BPF_MAP_UPDATE_ELEM, &attribute, 32);
	struct bpf_insn code[] = {{.code = 0xb7}, {.code = 0x95}};
	cleared()->prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attribute.insns = (uintptr_t)code, attribute.insn_cnt = 2, attribute.license = (uintptr_t) "GPL";
	int program = bpf(BPF_PROG_LOAD, &attribute, 48);
	attribute.insn_cnt = 0;
	bpf(BPF_PROG_LOAD, &attribute, 72);
	static struct bpf_map_info info;
	cleared()->info.bpf_fd = map;
	attribute.info.info_len = sizeof info, attribute.info.info = (uintptr_t)&info;
	bpf(BPF_OBJ_GET_INFO_BY_FD, &attribute, 16);
	cleared()->pathname = (uintptr_t) "/no/such/pin";
	bpf(BPF_OBJ_GET, &attribute, 16);
	attribute.bpf_fd = program;
	bpf(BPF_OBJ_PIN, &attribute, 16);
	cleared()->start_id = 0xfffffff0;
	bpf(BPF_PROG_GET_NEXT_ID, &attribute, 12);
	bpf(BPF_MAP_GET_NEXT_ID, &attribute, 12);
	bpf(BPF_PROG_GET_FD_BY_ID, &attribute, 12);
	cleared()->target_fd = -1;
	attribute.attach_bpf_fd = program, attribute.attach_type = BPF_CGROUP_INET_EGRESS;
	bpf(BPF_PROG_ATTACH, &attribute, 20);
	bpf(BPF_PROG_DETACH, &attribute, 20);
	cleared()->raw_tracepoint.name = (uintptr_t) "sys_enter";
	attribute.raw_tracepoint.prog_fd = -1;
	bpf(BPF_RAW_TRACEPOINT_OPEN, &attribute, 12);
	bpf(BPF_MAP_CREATE, 0, 0);
	bpf(BPF_MAP_CREATE, (void *)8, 16);
	bpf(0xffff, cleared(), 8);

	static struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE,
					       .size = sizeof event,
					       .config = PERF_COUNT_SW_CPU_CLOCK,
					       .sample_period = 1000,
					       .disabled = 1,
					       .exclude_hv = 1};
	syscall(SYS_perf_event_open, &event, 0L, -1L, -1L, (long)PERF_FLAG_FD_CLOEXEC);
	event.type = 99;
	event.freq = 1;
	syscall(SYS_perf_event_open, &event, -1L, 0L, 5L, 0x40L);
	syscall(SYS_perf_event_open, 0L, 0L, 0L, -1L, 0L);

	static struct io_uring_params params;
	long ring = syscall(SYS_io_uring_setup, 2L, &params);
	params = (struct io_uring_params){.flags = IORING_SETUP_CQSIZE | IORING_SETUP_IOPOLL, .cq_entries = 1};
	syscall(SYS_io_uring_setup, 4L, &params);
	params = (struct io_uring_params){.flags = 0x80000000, .sq_thread_cpu = 7, .sq_thread_idle = 9};
	syscall(SYS_io_uring_setup, 0L, &params);
	syscall(SYS_io_uring_setup, 1L, 0L);
	syscall(SYS_io_uring_enter, ring, 0L, 0L, 0L, 0L, 0L);
	syscall(SYS_io_uring_enter, -1L, 1L, 2L, (long)IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP, 0L, 8L);
	static char page[64];
	struct iovec vector = {page, 64};
	int eventfd = syscall(SYS_eventfd2, 0L, 0L);
	syscall(SYS_io_uring_register, ring, (long)IORING_REGISTER_BUFFERS, &vector, 1L);
	syscall(SYS_io_uring_register, ring, (long)IORING_UNREGISTER_BUFFERS, 0L, 0L);
	syscall(SYS_io_uring_register, ring, (long)IORING_REGISTER_EVENTFD, &eventfd, 1L);
	syscall(SYS_io_uring_register, ring, (long)IORING_REGISTER_FILES, &eventfd, 1L);
	syscall(SYS_io_uring_register, ring, 999L, page, 5L);
	syscall(SYS_io_uring_register, -1L, (long)IORING_UNREGISTER_FILES, 0L, 0L);

	aio_context_t context = 0;
	struct timespec none = {0, 0};
	static struct io_event events[2];
	syscall(SYS_io_setup, 4L, &context);
	syscall(SYS_io_getevents, context, 0L, 2L, events, &none);
	struct iocb block = {
		.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = -1, .aio_buf = (uintptr_t) "data", .aio_nbytes = 4};
	struct iocb *blocks[] = {&block};
	syscall(SYS_io_submit, context, 1L, blocks);
	syscall(SYS_io_submit, context, 0L, blocks);
	syscall(SYS_io_cancel, context, &block, events);
	syscall(SYS_io_destroy, context);
	syscall(SYS_io_destroy, 1L);
	syscall(SYS_io_setup, 0L, &context);
	return 0;
}
