// SPDX-License-Identifier: GPL-2.0-only
/*
 * The recorder: writes every system call, signal and exit of a registered cgroup into its container's ring.
 * What it writes is explained in record.h. Compiled by BCC; the loader gives, as -D:
 *
 *   TL_RING_SIZE TL_CHUNK_SIZE TL_CPUS    powers of two: bytes, bytes, CPUs
 *   TL_ITEM_MAX TL_CALL_MAX               most bytes of one item; no new item begins in a record beyond TL_CALL_MAX
 *   TL_SLACK TL_DATA_OFFSET               bytes after the data and each area, and before the data
 *   TL_FIRSTS_SIZE TL_RUNTIME_SIZE        bytes of the areas
 *   TL_TOTALS                             sets of totals, a power of two
 *   TL_SLOTS TL_BELOW                     most rings, and cgroups below the containers' own
 *   TL_OFFSET_...                         offsets in kernel structs, from BTF
 *   TL_ARCH                               the header of the machine's architecture, in quotation marks
 *   TL_URING_...                          where the kernel has the tracepoints of io_uring: see io_uring.py
 *   TL_CAPABILITIES                       where the kernel has the tracepoint of capabilities: see capabilities.py
 *   TL_MARK_GENERATION                    marks in the instructions, for numbers that are known when these are loaded:
 *   TL_MARK_PID_NAMESPACE                 TL_GENERATION of these programs, see `control`, and TL_PID_NAMESPACE, the inode
 *                                         of the daemon's pid namespace
 */
#include "verifier.h"
#include TL_ARCH
#include "areas.bpf.h"
#include "births.bpf.h"
#include "calls.bpf.h"
#include "capabilities.bpf.h"
#include "capture.bpf.h"
#include "cgroups.bpf.h"
#include "deaths.bpf.h"
#include "firsts.bpf.h"
#include "io_uring.bpf.h"
#include "layout.bpf.h"
#include "losses.h"
#include "marks.h"
#include "record.h"
#include "requests.h"
#include "retries.bpf.h"
#include "rules.h"
#include "scratch.bpf.h"
#include "threads.bpf.h"
#include "totals.bpf.h"
#include "writer.bpf.h"

/* BCC rewrites map operations in this file alone, so all of them are here. */
/*
 * The maps have no BTF, because the rings that user space makes have none. Before Linux 6.2 a map of maps refuses an
 * inner map that differs from its template in this (bpf_map_meta_equal compares timer_off).
 */
#undef BPF_ANNOTATE_KV_PAIR
#define BPF_ANNOTATE_KV_PAIR(name, key, value)

BPF_F_TABLE("array", u32, struct ring, ring_template, 1, BPF_F_MMAPABLE);
BPF_ARRAY_OF_MAPS(rings, "ring_template", TL_SLOTS);
BPF_F_TABLE("array", int, u64, cgroup_front, TL_FRONT_MASK + 1, BPF_F_MMAPABLE);
BPF_HASH(cgroups, u64, u32, TL_SLOTS);
BPF_HASH(below, u64, u32, TL_BELOW);
/*
 * The generation of programs that records, as 2 * its number. That plus one: it hands over to the next generation,
 * which was attached later and runs after it. From then on the old one only marks, on each CPU, that it left an event
 * to the new one, and the new one takes only events that are so marked. So the event in which a CPU first sees the
 * change is recorded once.
 */
BPF_F_TABLE("array", int, u64, control, 1, BPF_F_MMAPABLE);
BPF_ARRAY(calls, struct tl_call, 2 * TL_CALLS + TL_VARIANTS);
/* The call's place in `calls` << 32 | the value of its selecting argument -> the variant's place in `calls`. */
BPF_HASH(variants, u64, u32, TL_VARIANTS);
/*
 * The threads that are in a call, and above their numbers where its entry was recorded, as the position / 8. The kernel
 * asks seccomp before it passes sys_enter, but passes sys_exit in any case, so a thread that is not here when it
 * returns was answered by seccomp. A thread both of whose places others have taken is not here either; the decoder knows
 * better, as it sees the entry. A call may wait while the programs are exchanged, so all generations share the map.
 */
BPF_ARRAY(entered, u64, TL_ENTERED_PLACES);
/* The slots whose rings wait for a container. */
BPF_QUEUE(stock, u32, TL_STOCK);
BPF_RINGBUF_OUTPUT(births, 128);
BPF_F_TABLE("array", int, struct tl_shapes, shapes, 1, BPF_F_MMAPABLE);
BPF_ARRAY(names, struct names, 1);
/*
 * The processes of containers' runtimes: those that others brought into a recorded cgroup, and their children, until they
 * execute the container's program. Process id -> whether it has begun a call there.
 */
BPF_HASH(runtimes, u32, u32, 1024);
/* TL_LOSS_... -> a count */
BPF_ARRAY(losses, u64, TL_LOSSES);
/* enum io_uring_op -> how a request is recorded; the last one is kept empty, for those that are not known */
BPF_ARRAY(opcodes, struct tl_opcode, TL_OPCODES);

TL_INLINE bool is_handed_over(struct ring *ring, u64 whose)
{
	struct tl_cpu *cpu = &ring->cpu[bpf_get_smp_processor_id() & (TL_CPUS - 1)];
	if (whose == 2 * TL_GENERATION + 1)
		cpu->handed_over = TL_GENERATION;
	return whose == 2 * TL_GENERATION - 1 && cpu->handed_over == TL_GENERATION - 1;
}

/* Returns the ring in a slot, or 0 where another generation records. */
TL_INLINE struct ring *ring_in(int slot)
{
	int only = 0;
	u64 *turn = control.lookup(&only);
	void *map = rings.lookup(&slot);
	if (!turn || !map)
		return 0;
	struct ring *ring = bpf_map_lookup_elem(map, &only);
	u64 whose = *(volatile u64 *)turn;
	if (whose != 2 * TL_GENERATION && ring && !is_handed_over(ring, whose))
		return 0;
	return ring;
}

TL_INLINE u32 *slot_of_cgroup(u64 id)
{
	u32 *slot = cgroups.lookup(&id);
	return slot ? slot : below.lookup(&id);
}

TL_INLINE struct ring *ring_of_cgroup(u64 id)
{
	int bucket = id & TL_FRONT_MASK;
	u64 *front = cgroup_front.lookup(&bucket);
	if (!front)
		return 0;
	u64 word = *front;
	if (!word)
		return 0;
	int slot = word & TL_FRONT_MASK;
	if (!slot || (word ^ id) & ~TL_FRONT_MASK) {
		u32 *behind = slot_of_cgroup(id);
		if (!behind)
			return 0;
		slot = *behind;
	}
	return ring_in(slot);
}

/* Returns the ring that holds the data at a position of a ring of several parts, or 0. */
TL_INLINE struct ring *part_at(struct ring *ring, u64 parts, u64 pos)
{
	u64 n = pos / TL_RING_SIZE & (parts - 1) & (TL_PARTS_MAX - 1);
	TL_OPAQUE(n);
	/*
	 * The keys are in the ring: with keys on the stack, the verifier would walk all that follows a second time.
	 */
	void *map = rings.lookup(&ring->head.part[n]);
	return map ? bpf_map_lookup_elem(map, &ring->head.zero) : 0;
}

/* Finds the part of the ring that has w->from. No chunk crosses a part's end. */
TL_INLINE bool find_part(struct writer *w)
{
	struct ring *part = w->ring;
	if (w->parts > 1) {
		part = part_at(w->ring, w->parts, w->from);
		if (!part) {
			give_up(w);
			return false;
		}
	}
	TL_OPAQUE(part);
	w->part = part;
	return true;
}

TL_INLINE bool begin(struct writer *w, u64 bytes)
{
	if (!reserve(w, bytes) || !find_part(w))
		return false;
	begin_in(w);
	return true;
}

TL_INLINE bool open_writer(struct writer *w, u64 bytes)
{
	w->ring = ring_of_cgroup(bpf_get_current_cgroup_id());
	if (!w->ring)
		return false;
	w->cpu = &w->ring->cpu[bpf_get_smp_processor_id() & (TL_CPUS - 1)];
	return begin(w, bytes);
}

/* Finds the rules of the call whose arguments are in s->arg. */
TL_INLINE struct tl_call *find_call(struct scratch *s, u64 nr, bool compat)
{
	if (nr >= TL_CALLS)
		nr = 0x1ff; /* an entry after the last call of every table, which stays empty */
	int key = nr + (compat ? TL_CALLS : 0);
	struct tl_call *call = calls.lookup(&key);
	if (!call || !(call->flags & TL_CALL_SELECTED))
		return call;
	u64 pick = (u64)key << 32 | (u32)s->arg[call->flags >> TL_SELECTOR_SHIFT & 7];
	u32 *variant = variants.lookup(&pick);
	if (!variant)
		return call;
	key = *variant;
	return calls.lookup(&key);
}

/* Finds the current thread's ring. Returns 0 where the thread is not recorded. */
TL_INLINE struct scratch *open_call(struct writer *w)
{
	w->ring = ring_of_cgroup(bpf_get_current_cgroup_id());
	if (!w->ring)
		return 0;
	u32 cpu = bpf_get_smp_processor_id() & (TL_CPUS - 1);
	w->cpu = &w->ring->cpu[cpu];
	return scratch_of(w->ring, cpu);
}

/* Copies the registers at `regs` to s->frame, and the arguments of the call to s->arg. */
TL_INLINE void read_registers(struct scratch *s, u64 regs)
{
	s->has_entry = 0;
	tl_read_frame(s->frame, regs);
	s->compat = tl_call_is_compat(s->frame);
	tl_frame_arguments(s->frame, s->arg, s->compat);
}

#define AF_UNIX 1
#define NOT_RECORDED 8 /* a chunk's head is there */
#define SKIPPED 16
#define LIKE_ASKED_SHIFT 40

TL_INLINE void count_loss(int which)
{
	u64 *count = losses.lookup(&which);
	if (count)
		__sync_fetch_and_add(count, 1);
}

/* Notes that the thread is in a call. If others have all of its places, the one at the last is forgotten. */
TL_INLINE void enter(u32 tid, u64 pos)
{
	u64 *who = 0, its = 0;
#pragma unroll
	for (u32 n = 0; n < TL_ENTERED_TRIES; n++) {
		int place = place_of_entered(tid, n);
		who = entered.lookup(&place);
		its = who ? *(volatile u64 *)who : 0;
		if (!its || (u32)its == tid)
			break;
	}
	if (!who)
		return;
	if (its && (u32)its != tid)
		count_loss(TL_LOSS_IN_CALL);
	*(volatile u64 *)who = tid | pos >> 3 << 32;
}

/* Returns the place that the thread has; 0: it has none. */
TL_INLINE u64 *entered_by(u32 tid)
{
#pragma unroll
	for (u32 n = 0; n < TL_ENTERED_TRIES; n++) {
		int place = place_of_entered(tid, n);
		u64 *who = entered.lookup(&place);
		if (who && (u32) * (volatile u64 *)who == tid)
			return who;
	}
	return 0;
}

/* Returns where the thread has entered the call that it is in, as the position / 8; 0: it has not. */
TL_INLINE u32 where_entered(u32 tid)
{
	u64 *who = entered_by(tid);
	return who ? *(volatile u64 *)who >> 32 : 0;
}

/* Returns where the thread has entered the call that it leaves, as the position / 8; 0: it has not. */
TL_INLINE u32 leave(u32 tid)
{
	u64 *who = entered_by(tid);
	if (!who)
		return 0;
	u64 its = *(volatile u64 *)who;
	*(volatile u64 *)who = 0;
	return its >> 32;
}

/* Returns the current process's value in `runtimes`; 0: it is not a runtime's. */
TL_INLINE u32 *of_runtime(struct ring *ring)
{
	if (!ring->head.runtimes)
		return 0;
	u32 process = bpf_get_current_pid_tgid() >> 32;
	return runtimes.lookup(&process);
}

/* Returns whether a call is kept apart: not the execve of the container's program, which may fail. */
TL_INLINE bool is_apart(struct ring *ring, const struct tl_call *call)
{
	return of_runtime(ring) && !(call && call->flags & TL_CALL_EXEC);
}

/*
 * Returns where the return of a runtime's call goes, which has an entry: the ring has the start as long as that leaves the
 * most of it for the program.
 */
TL_INLINE u64 where_apart(const struct ring *ring)
{
	return ring->head.apart == TL_APART_RING && TL_RELOAD(ring->head.head) <= TL_RING_SIZE / 4 ? TL_APART_RING
												   : TL_APART_AREA;
}

TL_INLINE void bring_in(struct ring *ring, u32 process)
{
	u32 has_begun = 0;
	if (!ring->head.apart)
		return;
	if (!runtimes.insert(&process, &has_begun))
		__sync_fetch_and_add(&ring->head.runtimes, 1);
	else if (!runtimes.lookup(&process))
		count_loss(TL_LOSS_RUNTIME);
}

/* The process is the runtime's no more. Returns whether it was. */
TL_INLINE bool let_go(struct ring *ring, u32 process)
{
	if (!ring->head.runtimes || runtimes.delete(&process))
		return false;
	__sync_fetch_and_add(&ring->head.runtimes, -1);
	return true;
}

/*
 * Returns whether the current thread has neither a pid nor a mount namespace of its own yet. A runtime executes its copy
 * there; inside of them the image names it, as /proc/self/exe, and may bring libraries for it.
 */
TL_INLINE bool is_outside_of_namespaces(void)
{
	u64 task = bpf_get_current_task();
	return !upid_below(read64(task + TL_OFFSET_GROUP_LEADER)) &&
	       mounts_of(task) == mounts_of(read64(task + TL_OFFSET_REAL_PARENT));
}

/* The process ends. ring: that of its cgroup, or 0: a container that is not recorded any more has runtimes' processes, too. */
TL_INLINE void forget_runtime(struct ring *ring, u32 process)
{
	if (!runtimes.lookup(&process) || runtimes.delete(&process))
		return;
	if (ring && ring->head.runtimes)
		__sync_fetch_and_add(&ring->head.runtimes, -1);
}

/*
 * Lets a runtime's process go that has executed a program: the container's, but for one that was brought in during its
 * execve, as runc may do with its own next stage, and for a copy of the runtime that no path leads to, while that is
 * outside of the container. Returns whether it was let go.
 */
TL_INLINE bool let_program_go(struct ring *ring)
{
	u32 *has_begun = of_runtime(ring);
	if (!has_begun || !*has_begun)
		return false;
	if (executes_file_without_path() && is_outside_of_namespaces())
		return false;
	ring->head.apart = TL_APART_AREA;
	return let_go(ring, bpf_get_current_pid_tgid() >> 32);
}

/*
 * Tells user space of a process from outside. leader: its task_struct. files: its files_struct if it is the current
 * process, else 0.
 */
TL_INLINE void tell_of_entry(const struct ring *ring, u32 slot, u64 leader, u64 files)
{
	u32 number = number_for_daemon(leader);
	if (!number)
		return;
	struct tl_entry *entry = births.ringbuf_reserve(sizeof(struct tl_entry));
	if (!entry) {
		count_loss(TL_LOSS_ENTRY);
		return;
	}
	entry->at_ns = bpf_ktime_get_boot_ns();
	entry->slot = slot;
	entry->cookie = ring->head.cookie;
	entry->process = number;
	entry->pad = 0;
	u64 table = files ? read64(read64(files + TL_OFFSET_FDT) + TL_OFFSET_FDT_FD) : 0;
#pragma unroll
	for (u32 fd = 0; fd < TL_STREAMS; fd++) { /* each table has these places */
		u64 inode = table ? read64(read64(table + 8 * fd) + TL_OFFSET_FILE_INODE) : 0;
		entry->streams[fd].magic = inode ? read64(read64(inode + TL_OFFSET_INODE_SB) + TL_OFFSET_SB_MAGIC) : 0;
		entry->streams[fd].inode = inode ? read64(inode + TL_OFFSET_INODE_NUMBER) : 0;
	}
	births.ringbuf_submit(entry, BPF_RB_FORCE_WAKEUP);
}

/* Tells user space that the current process, which was a runtime's, is the container's program from now on. */
TL_INLINE void tell_of_program(const struct ring *ring)
{
	u32 *slot = slot_of_cgroup(bpf_get_current_cgroup_id());
	u64 task = bpf_get_current_task();
	if (slot)
		tell_of_entry(ring, *slot, read64(task + TL_OFFSET_GROUP_LEADER), read64(task + TL_OFFSET_FILES));
}

/*
 * Keeps the return of the runtime's call, with its arguments, beside the ring's data; not of a quiet one that
 * succeeded. entered: 0 if seccomp answered the call.
 */
TL_INLINE void put_apart(struct writer *w, struct tl_header *header, u64 length, u64 is_quiet, u64 entered, s64 result)
{
	if (is_quiet && entered && (result >= 0 || result < -4095))
		return;
	u32 type = entered ? TL_RETURN : TL_EXIT;
	header->length_type = LENGTH_TYPE(length, type);
	keep(w, TL_AREA_RUNTIME, w->ring->runtime, TL_RUNTIME_SIZE, header, length, type,
	     w->cpu->base_ns + header->delta_ns);
}

int on_sys_enter(struct bpf_raw_tracepoint_args *ctx)
{
	struct writer w = {};
	struct scratch *s = open_call(&w);
	if (!s)
		return 0;
	read_registers(s, ctx->args[0]);
	u64 nr = ctx->args[1], compat = TL_RELOAD(s->compat) & 1;
	struct tl_call *call = find_call(s, nr, compat);
	u32 *has_begun = of_runtime(w.ring);
	if (has_begun)
		*has_begun = 1;
	s->apart = is_apart(w.ring, call);
	if (!s->apart)
		count_call(w.ring, nr, compat);
	if (is_skipped(w.ring, nr, compat)) {
		enter(bpf_get_current_pid_tgid(), SKIPPED);
		return 0;
	}
	if (TL_RELOAD(s->apart) || !call || !begin(&w, FIXED_MAX + bytes_at_entry(s, call))) {
		enter(bpf_get_current_pid_tgid(), NOT_RECORDED);
		return 0;
	}
	enter(w.tid_pid, w.pos);

	u64 arguments = count_of_arguments(call);
	struct tl_header *header = start(&w, short_number(nr, arguments, compat));
	u64 *body = (u64 *)(room_of(header) + 1);
	u64 length = sizeof *header + sizeof(struct tl_room) + arguments * 8;
	if (nr >= TL_NR_WIDE) {
		*body++ = nr;
		length += 8;
	}
	if (call->flags & TL_CALL_SIGRETURN)
		s->arg[0] = TL_FRAME_SAVED_MASK(s->frame);
	put_arguments(body, s);

	if (call->enter_rules) {
		s->withheld = w.ring->head.withheld;
		read_at_entry(s, call);
		length = capture(s, header, length, call);
		u32 failed = s->failed;
		if (failed) {
			w.cpu->reread++;
			remember(w.ring, bpf_get_current_task(), nr, failed);
		}
	}
	s->nr = nr;
	s->has_entry = w.pos;
	finish_entry(&w, header, length);
	return 0;
}

/* Keeps the call whose return was just recorded, if it is a new one. All that it needs is in the scratch. */
TL_INLINE void look_for_first(struct writer *w, struct scratch *s, struct tl_call *call)
{
	struct ring *ring = w->ring;
	struct tl_header *header = header_at(w->part, TL_RELOAD(s->record));
	s64 result = TL_RELOAD(s->returned);
	u64 error = result < 0 && result >= -4095 ? -result : result == TL_NO_RESULT ? 4096 : 0;
	u64 at = TL_RELOAD(s->names_from), end = TL_RELOAD(s->names_to), flags = TL_RELOAD(call->flags);
	u64 like = mixed(mixed(0, TL_RELOAD(s->like)), error), group = like, hash = like;
	TL_OPAQUE(at);
	at &= 127;
	struct tl_item *item = (struct tl_item *)((u8 *)header + at);
	const u8 *name = (const u8 *)(item + 1);
	u64 bytes = 0;
	if (flags & TL_CALL_NAMES && at + sizeof *item <= end && item->arg == call->rules[0].arg)
		bytes = item->copied;
	if (bytes)
		hash = hash_of(name, flags & TL_CALL_EXEC ? end - at - sizeof *item : bytes, like);
	u64 place = place_of_seen(hash, bytes);
	u32 *seen = seen_at(ring, place, 0), print = hash >> 8 | 1;
	bool forks = flags & TL_CALL_FORKS && !error;
	if (!forks && (*seen == print || is_beside(ring, place, print, &seen)))
		return;
	if (bytes) {
		u64 content = call->rules[0].content;
		u64 first = *(const u64 *)name;
		if (flags & TL_CALL_EXEC)
			group = hash_of(name, bytes, like);
		else if (content & TL_CLASS_ADDRESS && (first & 0xffff) != AF_UNIX)
			group = mixed(mixed(like, first & ~0xffff0000ULL),
				      hash_of(name + 8, bytes > 8 ? bytes - 8 : 0, 0));
		else
			group = hash_of_directory(name, bytes, like);
	}
	if (!is_kept(ring, group, flags & TL_CALL_OPENS && is_young(ring) ? OPENS_MAX : NEW_MAX))
		return;
	*seen = print;
	u64 type = header->length_type >> TL_LENGTH_BITS, length = (header->length_type & TL_LENGTH_MASK) * 8;
	if (type == TL_EXIT && TL_RELOAD(s->registers) && TL_RELOAD(s->entered))
		type = TL_RETURN;
	/* A file's name says more than its struct stat, which takes half of the record. */
	u64 out = type == TL_CALL_OUT ? room_of(header)->exit_at + sizeof(s64) : length;
	if (bytes && !(flags & TL_CALL_EXEC) && length > out + LARGE)
		length = out;
	keep(w, TL_AREA_FIRSTS, ring->firsts, TL_FIRSTS_SIZE, header, length, type, w->cpu->base_ns + header->delta_ns);
}

/* Keeps a record that is no call's, as long as there were few like it. */
TL_INLINE void keep_first(struct writer *w, struct tl_header *header, u64 length, u32 type, u64 like)
{
	if (is_kept(w->ring, mixed(mixed(0, type), like), OTHER_MAX))
		keep(w, TL_AREA_FIRSTS, w->ring->firsts, TL_FIRSTS_SIZE, header, length, type,
		     w->cpu->base_ns + header->delta_ns);
}

/*
 * Finds out which call returns. If its entry was the last thing on this CPU, the scratch still has all of it, at a fifth
 * of the cost of copying the registers at `regs`. The entry's record is not asked: the ring may have overwritten it.
 */
TL_INLINE void identify(struct scratch *s, u32 entered, u64 regs)
{
	if (s->has_entry && (u32)(s->has_entry >> 3) == entered)
		return;
	read_registers(s, regs);
	s->nr = (s64)(s32)s->frame[F_NR]; /* as sys_enter is given it */
}

/* Records that the call whose registers are at `regs` returns. result: TL_NO_RESULT if seccomp ends the thread. */
TL_INLINE void write_exit(struct writer *w, struct scratch *s, u64 regs, s64 result)
{
	s->entered = leave(bpf_get_current_pid_tgid());
	u32 has_entered = TL_RELOAD(s->entered);
	s->is_begun = 0;
	identify(s, has_entered, regs);
	u64 nr = TL_RELOAD(s->nr), compat = TL_RELOAD(s->compat) & 1;
	struct tl_call *call = find_call(s, nr, compat);
	if (!call)
		return;
	if (!has_entered && result == tl_result_rolled_back(s->frame, nr, compat) && is_refused_by_sigsys())
		result = TL_NO_RESULT;
	s->apart = !is_apart(w->ring, call) ? 0 : has_entered ? where_apart(w->ring) : TL_APART_AREA;
	if (!s->apart)
		count_return(w->ring, call, nr, compat, result);
	if (has_entered == SKIPPED / 8)
		return;

	u32 again = w->ring->head.retries ? recall(w->ring, bpf_get_current_task(), nr) : 0;
	u64 asked = again >> RETRY_ASKED_SHIFT;
	again &= RETRY_ARGUMENTS;
	note_io_uring(w->ring, nr, result);
	bool failed = (result < 0 && result >= -4095) || result == TL_NO_RESULT;
	bool executed = !failed && call->flags & TL_CALL_EXEC;
	/*
	 * A call that seccomp answered has no entry, so its arguments are recorded here; at least one register marks
	 * it.
	 */
	u64 registers = 0;
	if (!has_entered && (result || !(call->flags & TL_CALL_FORKS))) {
		if (!TL_RELOAD(s->apart))
			count_call(w->ring, nr, compat);
		registers = count_of_arguments(call);
		if (!registers)
			registers = 1;
		again = 0xff;
	}
	if (executed) {
		again = registers = 0;
		s->is_begun = let_program_go(w->ring);
	}
	s->registers = registers;
	s->again = again;
	s->entered = has_entered != 0;
	s->like = asked << LIKE_ASKED_SHIFT | nr << 2 | compat << 1 | s->entered;
	s->exit_rules = failed && !(call->flags & TL_CALL_OUT_ON_FAILURE) ? 0 : call->exit_rules;
	u64 own = again | registers | nr >> TL_NR_ARGS_SHIFT | (nr + 1) >> TL_NR_ARGS_SHIFT |
		  (call->flags & (TL_CALL_EXEC | TL_CALL_SIGRETURN));
	s->in_place = has_entered && !own && reserve_after_entry(w, has_entered, 8 + call->exit_bytes);
	if (!TL_RELOAD(s->in_place)) {
		/* A record that is to stand alone in an area has the call's arguments. */
		if (has_entered && !executed &&
		    (failed || call->flags & TL_CALL_NAMES || s->apart || TL_RELOAD(s->like) >> LIKE_ASKED_SHIFT) &&
		    !(call->flags & TL_CALL_SIGRETURN)) {
			s->registers = count_of_arguments(call);
			s->again = 0xff;
		}
		if (!reserve(w, FIXED_MAX + call->exit_bytes + bytes_at_entry(s, call)))
			return;
	}
	if (!find_part(w))
		return;
	if (!TL_RELOAD(s->in_place))
		begin_in(w);

	struct tl_header *header = header_at(w->part, w->pos);
	u64 *body = (u64 *)header;
	s->length = 8;
	registers = TL_RELOAD(s->registers) & 7;
	if (TL_RELOAD(s->in_place)) {
		s->record = w->from;
		s->names_from = sizeof *header + sizeof(struct tl_room) + 8 * count_of_arguments(call);
		s->names_to = w->pos - w->from;
	} else {
		start(w, short_number(nr, registers, compat));
		body = (u64 *)(header + 1);
		s->record = w->pos;
		s->length += sizeof *header;
		if (nr >= TL_NR_WIDE) {
			*body++ = nr;
			s->length += 8;
		}
		s->names_from = s->length + registers * 8;
		s->names_to = 0;
	}
	*body++ = s->returned = result;
	if (TL_RELOAD(s->exit_rules) | TL_RELOAD(s->again)) {
		if (executed)
			take_arguments_of_new_program(s, call);
		if (registers) {
			put_arguments(body, s);
			s->length += registers * 8;
		}
		s->withheld = w->ring->head.withheld;
		read_at_exit(s, call, TL_RELOAD(s->again), TL_RELOAD(s->exit_rules), failed ? 0 : result);
		capture(s, header, TL_RELOAD(s->length), call);
		if (s->failed)
			w->cpu->unread++;
	}
	u64 length = length_of(s);
	stall();
	if (TL_RELOAD(s->in_place)) {
		complete(w, TL_RELOAD(s->returned), length);
	} else {
		s->names_to = length;
		if (TL_RELOAD(s->apart))
			put_apart(w, header, length, TL_RELOAD(call->flags) & TL_CALL_QUIET, TL_RELOAD(s->entered),
				  TL_RELOAD(s->returned));
		if (TL_RELOAD(s->apart) == TL_APART_AREA)
			leave_out(w, length);
		else
			publish(w, header, length, TL_RELOAD(s->apart) ? TL_RETURN : TL_EXIT);
	}
	if (!TL_RELOAD(s->apart))
		look_for_first(w, s, call);
}

int on_sys_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct writer w = {};
	struct scratch *s = open_call(&w);
	if (!s)
		return 0;
	write_exit(&w, s, ctx->args[0], ctx->args[1]);
	if (TL_RELOAD(s->is_begun)) /* after the return's record, whose time is thus earlier */
		tell_of_program(w.ring);
	return 0;
}

/* (int sig, struct kernel_siginfo *, struct k_sigaction *) */
int on_signal_deliver(struct bpf_raw_tracepoint_args *ctx)
{
	u64 number = ctx->args[0], action = ctx->args[2], bytes = sizeof(struct tl_signal);
	/*
	 * Where a process was when a fault or, as all signals that end it without a core dump become that, SIGKILL ends it.
	 * Of the latter one thread in each: a program may end with thousands. struct sigaction begins with sa_handler.
	 */
	bool fault = number == SIGKILL ? is_leader() : is_fault(number) && !read64(action);
	struct writer w = {};
	if (!open_writer(&w, bytes + (fault ? sizeof(struct tl_fault) : 0)))
		return 0;
	struct tl_signal *record = (struct tl_signal *)start(&w, number);
	/* The pointer is 0 or 1 where a task is being killed and has no siginfo; then the record has zeros. */
	bpf_probe_read_kernel(record->siginfo, sizeof record->siginfo, (void *)ctx->args[1]);
	bpf_probe_read_kernel(&record->handler, 2 * sizeof(u64), (void *)action);
	if (fault)
		bytes += read_fault((struct tl_fault *)(record + 1), ctx);
	finish(&w, &record->header, bytes, TL_SIGNAL);
	keep_first(&w, &record->header, bytes, TL_SIGNAL, number);
	return 0;
}

/* include/trace/events/signal.h; further results: it was pending already, or there was no memory for it */
#define TRACE_SIGNAL_DELIVERED 0
#define TRACE_SIGNAL_IGNORED 1

/*
 * (int sig, struct kernel_siginfo *, struct task_struct *, int group, int result). Runs in the sender's context, or
 * in an interrupt. Most signals of a node are SIGCHLD, which end no process.
 */
int on_signal_generate(struct bpf_raw_tracepoint_args *ctx)
{
	u64 number = ctx->args[0], info = ctx->args[1], task = ctx->args[2], result = (u32)ctx->args[4];
	u32 type = TL_SIGNAL_SENT;
	if (number == SIGCHLD)
		return 0;
	if (result == TRACE_SIGNAL_IGNORED) {
		if (is_ignored_by_default(number) || !is_sent_by_call(info))
			return 0;
		type = TL_SIGNAL_IGNORED;
	} else if (result != TRACE_SIGNAL_DELIVERED) {
		return 0;
	} else if (!is_killed_by(task, number)) {
		if (!is_sent_by_call(info))
			return 0;
		type = TL_SENDER;
	}
	struct writer w = {};
	w.ring = ring_of_cgroup(id_of(read64(read64(task + TL_OFFSET_CGROUPS) + TL_OFFSET_DFL_CGRP)));
	if (!w.ring)
		return 0;
	if (type == TL_SENDER && ring_of_cgroup(bpf_get_current_cgroup_id()) == w.ring)
		return 0;
	w.cpu = &w.ring->cpu[bpf_get_smp_processor_id() & (TL_CPUS - 1)];
	w.task = task;
	if (!begin(&w, sizeof(struct tl_signal_sent)))
		return 0;
	struct tl_signal_sent *record = (struct tl_signal_sent *)start(&w, number);
	fill_signal_sent(record, number, info, task);
	finish(&w, &record->header, sizeof *record, type);
	keep_first(&w, &record->header, sizeof *record, type, number);
	return 0;
}

#ifdef TL_OFFSET_CHARGED
/*
 * (struct task_struct *, uid_t); on older kernels (int pid), where it is not attached. The process has been sent
 * SIGKILL. What its end tells (TL_OUT_OF_MEMORY) lacks how much memory there was: by then it is given back.
 */
int on_mark_victim(struct bpf_raw_tracepoint_args *ctx)
{
	struct writer w = {};
	w.task = ctx->args[0];
	w.ring = ring_of_cgroup(id_of(read64(read64(w.task + TL_OFFSET_CGROUPS) + TL_OFFSET_DFL_CGRP)));
	if (!w.ring)
		return 0;
	w.cpu = &w.ring->cpu[bpf_get_smp_processor_id() & (TL_CPUS - 1)];
	if (!begin(&w, sizeof(struct tl_oom)))
		return 0;
	struct tl_oom *record = (struct tl_oom *)start(&w, 0);
	bool reached = read_levels(record->level, w.task);
	__sync_fetch_and_add(&w.ring->head.pad, 1 | (u64)reached << TL_OOM_BY_LIMIT);
	finish(&w, &record->header, sizeof *record, TL_OOM);
	keep_first(&w, &record->header, sizeof *record, TL_OOM, 0);
	return 0;
}
#endif

TL_INLINE u32 *slot_of_first(u32 number)
{
	u64 key = TL_FIRST_PROCESS | number;
	return below.lookup(&key);
}

/* Makes a process the first of a recorded container that has none yet. */
TL_INLINE void begin_with(u32 slot, u32 number, bool is_container)
{
	struct ring *ring = ring_in(slot);
	if (!ring)
		return;
	bool is_service = ring->head.born & TL_BORN_SERVICE;
	if (ring->head.init_pid || ring->head.exited) {
		if (!is_service || !ring->head.exited || ring->head.exit_code)
			return;
		u64 former = TL_FIRST_PROCESS | ring->head.init_pid;
		below.delete(&former);
		ring->head.exited = 0;
	}
	if (ring->head.born && !is_service && !is_container) /* runtimes have processes there, too */
		return;
	u64 key = TL_FIRST_PROCESS | number;
	ring->head.init_pid = number;
	below.update(&key, &slot);
}

/* Notes the end of a container's first process, which may have left the container's cgroup. */
TL_INLINE void note_first_exit(u32 number, u32 code)
{
	u32 *slot = slot_of_first(number);
	struct ring *ring = slot ? ring_in(*slot) : 0;
	if (ring)
		note_exit(ring, number, code);
}

/*
 * Records the call in which seccomp ends a thread. It is a program of its own, which runs before on_process_exit,
 * because the verifier would walk what follows write_exit for each of its ends.
 */
int on_seccomp_end(struct bpf_raw_tracepoint_args *ctx) /* as on_process_exit */
{
	if (!is_ended_by_seccomp())
		return 0;
	struct writer w = {};
	struct scratch *s = open_call(&w);
	u64 regs = tl_registers_of(tl_current_task());
	if (!s)
		return 0;
	read_registers(s, regs);
	if (tl_frame_is_entering(s->frame)) /* else SIGSYS ends it, after its sys_exit */
		write_exit(&w, s, regs, TL_NO_RESULT);
	return 0;
}

/*
 * (struct task_struct *parent, struct task_struct *child). A child of a runtime's process is the runtime's; so is a
 * process that is made in a container's cgroup from outside (CLONE_INTO_CGROUP).
 */
int on_process_fork(struct bpf_raw_tracepoint_args *ctx)
{
	u64 child = ctx->args[1];
	u32 process = read32(child + TL_OFFSET_TGID);
	if (process != read32(child + TL_OFFSET_PID))
		return 0;
	struct ring *ring = ring_of_cgroup(id_of(read64(read64(child + TL_OFFSET_CGROUPS) + TL_OFFSET_DFL_CGRP)));
	if (ring && ring->head.apart && (of_runtime(ring) || ring_of_cgroup(bpf_get_current_cgroup_id()) != ring))
		bring_in(ring, process);
	return 0;
}

int on_process_exit(struct bpf_raw_tracepoint_args *ctx) /* (struct task_struct *, [bool group_dead]) */
{
	u64 task = ctx->args[0];
	struct writer w = {};
#ifdef TL_GROUP_DEAD_IS_ARGUMENT
	u32 group_dead = ctx->args[1];
#else /* two threads that end at the same time may both take themselves for the last */
	u32 group_dead = !read32(read64(task + TL_OFFSET_SIGNAL) + TL_OFFSET_LIVE);
#endif
	u32 code = exit_code_of(task, group_dead);
	bool out_of_memory = group_dead && is_out_of_memory(task);
	u32 noted = code | (out_of_memory ? TL_EXIT_OUT_OF_MEMORY : 0);
	u32 number = group_dead ? number_for_daemon(read64(task + TL_OFFSET_GROUP_LEADER)) : 0;
	if (number)
		note_first_exit(number, noted);
	w.ring = ring_of_cgroup(bpf_get_current_cgroup_id());
	if (group_dead)
		forget_runtime(w.ring, bpf_get_current_pid_tgid() >> 32);
	if (!w.ring)
		return 0;
	w.cpu = &w.ring->cpu[bpf_get_smp_processor_id() & (TL_CPUS - 1)];
	if (number && w.ring->head.born && !w.ring->head.init_pid) /* it was never renamed */
		begin_with(w.ring->head.part[0], number, is_first_of_namespace(read64(task + TL_OFFSET_GROUP_LEADER)));
	note_exit(w.ring, number, noted);
	leave(bpf_get_current_pid_tgid());
	if (w.ring->head.retries)
		recall(w.ring, task, 0);
	if (!begin(&w, sizeof(struct tl_task_exit)))
		return 0;
	struct tl_task_exit *record = (struct tl_task_exit *)start(&w, 0);
	record->code = code;
	record->group_dead = out_of_memory ? 1 | TL_OUT_OF_MEMORY : group_dead;
	finish(&w, &record->header, sizeof *record, TL_TASK_EXIT);
	if (code && group_dead)
		keep_first(&w, &record->header, sizeof *record, TL_TASK_EXIT, code);
	return 0;
}

/*
 * Records a cgroup besides the container's own. The kernel's cgroup_mutex is held, so there is one caller at a time.
 */
TL_INLINE bool enter_below(struct ring *ring, u64 *front, u64 id, u32 slot)
{
	if (ring->head.below >= TL_BELOW_SHARE || below.update(&id, &slot)) {
		ring->head.left_out++;
		return false;
	}
	ring->head.below++;
	*front = (id & ~TL_FRONT_MASK) | slot;
	return true;
}

/* Other cgroups may share the bucket, so the hashes are asked until user space sweeps. */
TL_INLINE void leave_front(u64 id)
{
	int bucket = id & TL_FRONT_MASK;
	u64 *front = cgroup_front.lookup(&bucket);
	if (front && !((*front ^ id) & ~TL_FRONT_MASK))
		*front = TL_FRONT_LOOK_BEHIND;
}

/* Returns the shape by which a cgroup that is made is a container's, or 0. */
TL_INLINE struct tl_shape *container_shape(u64 cgroup, u64 parent)
{
	int only = 0;
	struct tl_shapes *all = shapes.lookup(&only);
	struct names *its = names.lookup(&only);
	u64 *turn = control.lookup(&only);
	if (!all || !its || !turn || all->shape[0].kind == TL_SHAPE_END)
		return 0;
	if (*(volatile u64 *)turn >> 1 != TL_GENERATION) /* the other generation takes it */
		return 0;
	if ((u32)bpf_get_current_uid_gid()) /* whoever may make cgroups could use all rings up */
		return 0;
	if (!read_names(its, cgroup, parent))
		return 0;
	return shape_of(its, all);
}

/*
 * Records a container from its cgroup's birth. above: the ring that the parent was born with; 0: the parent is not
 * recorded. If the same process made both, the parent was only on its way to the container.
 */
TL_INLINE void begin_at_birth(u64 id, u64 path, struct tl_shape *shape, u64 parent_id, struct ring *above,
			      u32 above_slot)
{
	int only = 0;
	struct tl_shapes *counts = shapes.lookup(&only);
	int bucket = id & TL_FRONT_MASK;
	u64 *front = cgroup_front.lookup(&bucket);
	if (!counts || !front || cgroups.lookup(&id))
		return;
	u32 maker = bpf_get_current_pid_tgid() >> 32, slot = 0;
	u32 number = number_for_daemon(read64(bpf_get_current_task() + TL_OFFSET_GROUP_LEADER));
	if (!number) /* the daemon is in a container itself, and sees nothing of what is outside of that */
		return;
	struct tl_birth *birth = births.ringbuf_reserve(sizeof(struct tl_birth));
	if (!birth) {
		counts->untold++;
		return;
	}
	birth->id = id;
	birth->at_ns = bpf_ktime_get_boot_ns();
	birth->cookie = 0;
	birth->maker = number;
	birth->whose = shape->whose;
	birth->moved = above && above->head.born == maker;
	birth->words_length = read_command_line(birth->words);
	birth->path[0] = 0;
	bpf_probe_read_kernel_str(birth->path, sizeof birth->path, (void *)path);
	if (birth->moved) {
		slot = above_slot;
		cgroups.delete(&parent_id);
		leave_front(parent_id);
	} else if (stock.pop(&slot)) {
		slot = 0;
		counts->missed++;
	}
	void *map = rings.lookup(&slot); /* slot 0 has none */
	struct ring *ring = map ? bpf_map_lookup_elem(map, &only) : 0;
	if (ring) {
		ring->head.part[0] = slot;
		ring->head.born = maker | (shape->is_service ? TL_BORN_SERVICE : 0);
		ring->head.apart = TL_APART_RING;
		birth->cookie = ring->head.cookie;
		if (!cgroups.update(&id, &slot))
			*front = (id & ~TL_FRONT_MASK) | slot;
	}
	birth->slot = slot;
	births.ringbuf_submit(birth, BPF_RB_FORCE_WAKEUP); /* user space may keep earlier ones for a while */
}

/*
 * The new name is not in place yet, but the thread's next record follows a base that has it. Runtimes rename a
 * container's first process, or execute a program in it: so it is known before the container's own program runs.
 */
int on_task_rename(struct bpf_raw_tracepoint_args *ctx) /* (struct task_struct *, const char *comm) */
{
	struct ring *ring = ring_of_cgroup(bpf_get_current_cgroup_id());
	if (!ring)
		return 0;
	__sync_fetch_and_add(&ring->head.renames, 1);
	if (ring->head.born && (!ring->head.init_pid || (ring->head.born & TL_BORN_SERVICE && ring->head.exited))) {
		u64 leader = read64(bpf_get_current_task() + TL_OFFSET_GROUP_LEADER);
		u32 number = number_for_daemon(leader);
		if (number)
			begin_with(ring->head.part[0], number,
				   is_first_of_namespace(leader) || is_named_by_runtime(ctx->args[1]));
	}
	return 0;
}

/* A child of a recorded cgroup belongs to the same container. A container's own cgroup may begin its recording. */
int on_cgroup_mkdir(struct bpf_raw_tracepoint_args *ctx) /* (struct cgroup *, const char *path) */
{
	u64 cgroup = ctx->args[0];
	if (!is_v2(cgroup))
		return 0;
	u64 parent = read64(cgroup + TL_OFFSET_CGROUP_PARENT); /* its css */
	if (!parent)
		return 0;
	parent -= TL_OFFSET_CGROUP_SELF;
	u64 parent_id = id_of(parent), id = id_of(cgroup);
	u32 *slot = slot_of_cgroup(parent_id);
	u32 same = slot ? *slot : 0;
	struct ring *ring = slot ? ring_in(same) : 0;
	if (!slot || (ring && is_untouched(ring))) {
		struct tl_shape *shape = container_shape(cgroup, parent);
		if (shape && shape->whose)
			begin_at_birth(id, ctx->args[1], shape, parent_id, ring, same);
		if (shape || !slot)
			return 0;
	}
	int bucket = id & TL_FRONT_MASK;
	u64 *front = cgroup_front.lookup(&bucket);
	if (!ring || !front)
		return 0;
	enter_below(ring, front, id, same);
	return 0;
}

/* Returns whether a process is the container's own: its first, or another one's child. */
TL_INLINE bool is_containers(struct ring *ring, u64 task, u32 number)
{
	u64 parent = read64(task + TL_OFFSET_REAL_PARENT);
	u32 process = read32(task + TL_OFFSET_TGID), by = read32(parent + TL_OFFSET_TGID);
	if (!ring->head.init_pid || runtimes.lookup(&process))
		return false;
	if (ring->head.init_pid == number)
		return true;
	u64 id = id_of(read64(read64(parent + TL_OFFSET_CGROUPS) + TL_OFFSET_DFL_CGRP));
	return ring_of_cgroup(id) == ring && !runtimes.lookup(&by);
}

/*
 * Follows a container's first process that leaves the recorded cgroups, if it is alone where it goes: what others do
 * there is not the container's. A cgroup that was recorded while it was empty gets its first process here.
 */
/* (struct cgroup *, const char *path, struct task_struct *) */
int on_cgroup_attach_task(struct bpf_raw_tracepoint_args *ctx)
{
	u64 cgroup = ctx->args[0], task = ctx->args[2];
	if (!is_v2(cgroup))
		return 0;
	u64 id = id_of(cgroup);
	u32 number = number_for_daemon(task);
	u32 *first = slot_of_first(number), *there = slot_of_cgroup(id);
	struct ring *into = there ? ring_in(*there) : 0;
	/*
	 * Who moves itself, or is moved by another in the container, is not the runtime's; neither is who was in the
	 * container before, and is moved below it.
	 */
	if (into && ring_of_cgroup(bpf_get_current_cgroup_id()) != into && !is_containers(into, task, number)) {
		if (into->head.apart)
			bring_in(into, read32(task + TL_OFFSET_TGID));
		else
			tell_of_entry(into, *there, task, 0);
	}
	if (!first) {
		if (number && there)
			begin_with(*there, number, is_first_of_namespace(read64(task + TL_OFFSET_GROUP_LEADER)));
		return 0;
	}
	u32 same = *first;
	if (there && *there == same)
		return 0;
	struct writer w = {};
	w.ring = ring_in(same);
	int bucket = id & TL_FRONT_MASK;
	u64 *front = cgroup_front.lookup(&bucket);
	if (!w.ring || !front || w.ring->head.init_pid != number || w.ring->head.exited)
		return 0;
	if (!there && is_alone_in(cgroup, task) && enter_below(w.ring, front, id, same))
		return 0;
	w.cpu = &w.ring->cpu[bpf_get_smp_processor_id() & (TL_CPUS - 1)];
	w.task = task;
	if (!begin(&w, sizeof(struct tl_header) + sizeof id))
		return 0;
	struct tl_header *header = start(&w, 0);
	*(u64 *)(header + 1) = id;
	finish(&w, header, sizeof *header + sizeof id, TL_LEFT);
	return 0;
}

int on_cgroup_rmdir(struct bpf_raw_tracepoint_args *ctx)
{
	u64 cgroup = ctx->args[0];
	if (!is_v2(cgroup))
		return 0;
	u64 id = id_of(cgroup);
	u32 *slot = below.lookup(&id);
	if (slot) {
		struct ring *ring = ring_in(*slot);
		if (!ring)
			return 0;
		if (ring->head.below) /* user space may have entered it */
			ring->head.below--;
		below.delete(&id);
	} else if (cgroups.delete(&id)) {
		return 0;
	}
	leave_front(id);
	return 0;
}

#ifdef TL_CAPABILITIES
/* (const struct cred *, struct user_namespace *, const struct user_namespace *, int capability, int result) */
int on_capability(struct bpf_raw_tracepoint_args *ctx)
{
	struct writer w = {};
	struct asked it = {.number = (u32)ctx->args[3], .granted = !(u32)ctx->args[4]};
	struct scratch *s = open_call(&w);
	if (!s || it.number >= CAPABILITIES_MAX || !are_its_own(ctx->args[0]))
		return 0;
	u32 entered_at = where_entered(bpf_get_current_pid_tgid());
	find_asking_call(&it, entered_at);
	int key = it.nr < TL_CALLS ? it.nr + it.compat * TL_CALLS : TL_CALLS - 1;
	struct tl_call *call = calls.lookup(&key);
	if (!call || is_of_accounting(&it, call) || is_apart(w.ring, call))
		return 0;
	note_capability(w.cpu, &it);
	if (!entered_at || entered_at == SKIPPED / 8)
		return 0;
	bool is_new = is_new_question(w.ring, &it);
	bool is_refusal = !it.granted && is_first_refusal(s, it.number, entered_at);
	if (!is_new && !is_refusal)
		return 0;
	if (is_new)
		ask_to_keep(w.ring, &it);
	if (!begin(&w, sizeof(struct tl_capability)))
		return 0;
	struct tl_capability *record = (struct tl_capability *)start(&w, short_number(it.nr, 0, it.compat));
	record->number = it.number;
	record->granted = it.granted;
	finish(&w, &record->header, sizeof *record, TL_CAPABILITY);
	if (is_new)
		keep(&w, TL_AREA_FIRSTS, w.ring->firsts, TL_FIRSTS_SIZE, &record->header, sizeof *record, TL_CAPABILITY,
		     w.cpu->base_ns + record->header.delta_ns);
	return 0;
}
#endif

#ifdef TL_URING
TL_INLINE struct tl_opcode *find_opcode(u64 opcode)
{
	int key = opcode < TL_OPCODES ? opcode : TL_OPCODES - 1;
	return opcodes.lookup(&key);
}

TL_INLINE int record_request(u64 request, u64 sqe)
{
	struct writer w = {};
	struct scratch *s = open_call(&w);
	if (!s)
		return 0;
	s->has_entry = 0; /* its arguments are replaced here */
	u64 opcode = read_kernel(sqe ? sqe + SQE_OPCODE : request + TL_OFFSET_URING_OPCODE, 1);
	struct tl_opcode *op = find_opcode(opcode);
	if (!op)
		return 0;
	u64 bytes = REQUEST_FIXED + op->call.enter_bytes;
	if (!begin(&w, bytes < RECORD_MAX ? bytes : RECORD_MAX))
		return 0;

	struct submitted it = look_at(request, sqe);
	u64 count = op->count & 7;
	u64 nr = TL_REQUEST | opcode | count << TL_REQUEST_ARGS_SHIFT | (sqe ? TL_REQUEST_REFUSED : 0);
	struct tl_header *header = start(&w, nr);
	struct tl_request *record = (struct tl_request *)(header + 1);
	record->request = known_as(w.ring, s, request);
	record->instance = known_as(w.ring, s, it.instance);
	record->user_data = read64(request + TL_OFFSET_URING_USER_DATA);
	record->flags = read64(request + TL_OFFSET_URING_FLAGS) & SQE_FLAGS_MASK;
	record->slot = number_from(&op->slot, &it);
	u64 length = sizeof *header + sizeof *record + count * 8;
	s->withheld = w.ring->head.withheld;
	s->compat = 0;
	read_at_entry(s, &op->call);
	take_arguments_of_request(s, op, &it);
	if (!sqe)
		take_names(s, op);
	put_arguments((u64 *)(record + 1), s); /* items take the place of those that it has not */
	length = put_names(s, header, length, op, !sqe);
	if (!sqe)
		length = put_copy(s, header, length, op, &it);
	if (!sqe && op->call.enter_rules && !is_of_32_bit_program(it.instance))
		length = capture(s, header, length, &op->call);
	finish(&w, header, length, TL_ENTER);
	return 0;
}

int on_io_uring_submit(struct bpf_raw_tracepoint_args *ctx) /* (struct io_kiocb *, ...) */
{
	return record_request(ctx->args[0], 0);
}

/* (const struct io_uring_sqe *, struct io_kiocb *, int error) */
int on_io_uring_refuse(struct bpf_raw_tracepoint_args *ctx)
{
	return record_request(ctx->args[1], ctx->args[0]);
}

/*
 * On Linux 6.1 (struct io_ring_ctx *, struct io_kiocb *, u64 user_data, int result, unsigned flags, ...), on 6.18
 * (struct io_ring_ctx *, struct io_kiocb *, struct io_uring_cqe *). The latter is shared with the program, so what the
 * request itself has is read instead; there is none where a request goes on after this completion.
 */
int on_io_uring_complete(struct bpf_raw_tracepoint_args *ctx)
{
	u64 request = ctx->args[1];
	struct writer w = {};
	w.ring = ring_of_cgroup(bpf_get_current_cgroup_id());
	if (!w.ring) {
		if (!request || !is_kernel_thread())
			return 0;
		w.task = task_of_request(request);
		w.ring = ring_of_cgroup(id_of(read64(read64(w.task + TL_OFFSET_CGROUPS) + TL_OFFSET_DFL_CGRP)));
		if (!w.ring)
			return 0;
	}
	u32 cpu = bpf_get_smp_processor_id() & (TL_CPUS - 1);
	w.cpu = &w.ring->cpu[cpu];
	struct scratch *s = scratch_of(w.ring, cpu);
	s->has_entry = 0; /* its arguments are replaced here */
	u64 opcode = request ? read_kernel(request + TL_OFFSET_URING_OPCODE, 1) : 0;
	struct tl_opcode *op = find_opcode(opcode);
	if (!op || !begin(&w, REQUEST_FIXED + op->call.exit_bytes))
		return 0;

	struct submitted it = {.request = request, .instance = ctx->args[0]};
	struct tl_header *header = start(&w, TL_REQUEST | opcode | (request ? 0 : TL_REQUEST_AGAIN));
	struct tl_request_done *record = (struct tl_request_done *)(header + 1);
	u64 length = sizeof *header + sizeof *record;
	record->request = request ? known_as(w.ring, s, request) : 0;
	record->instance = known_as(w.ring, s, it.instance);
#ifdef TL_URING_CQE_IS_ARGUMENT
	u64 from = request ? request + TL_OFFSET_URING_CQE : ctx->args[2];
	record->user_data = read64(from + CQE_USER_DATA);
	record->result = read32(from + CQE_RES);
	record->flags = read32(from + CQE_FLAGS);
#else
	record->user_data = ctx->args[2];
	record->result = ctx->args[3];
	record->flags = ctx->args[4];
#endif
	s32 result = record->result;
	if (request && has_output(op, &it, result) && is_in_its_process(request) &&
	    !is_of_32_bit_program(it.instance)) {
		it = look_at(request, 0);
		s->withheld = w.ring->head.withheld;
		s->compat = 0;
		take_arguments_of_request(s, op, &it);
		read_at_exit(s, &op->call, 0, op->call.exit_rules, result < 0 ? 0 : result);
		length = capture(s, header, length, &op->call);
	}
	finish(&w, header, length, TL_EXIT);
	return 0;
}

/*
 * (struct io_ring_ctx *, u64 user_data, int result, unsigned flags, struct io_overflow_cqe *): the queue of completions is
 * full, so that the kernel keeps this one, and does not tell of it again.
 */
int on_io_uring_overflow(struct bpf_raw_tracepoint_args *ctx)
{
	struct writer w = {};
	struct tl_request_done *record;
	if (!open_writer(&w, sizeof(struct tl_header) + sizeof *record))
		return 0;
	struct scratch *s = scratch_of(w.ring, bpf_get_smp_processor_id());
	struct tl_header *header = start(&w, TL_REQUEST | TL_REQUEST_AGAIN | TL_REQUEST_LAST);
	record = (struct tl_request_done *)(header + 1);
	record->request = 0;
	record->instance = known_as(w.ring, s, ctx->args[0]);
	record->user_data = ctx->args[1];
	record->result = ctx->args[2];
	record->flags = ctx->args[3];
	finish(&w, header, sizeof *header + sizeof *record, TL_EXIT);
	return 0;
}
#endif
