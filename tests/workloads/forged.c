/* SPDX-License-Identifier: Apache-2.0 */
/* Makes calls that pretend to be others: argv[1] says how, argv[2] names a file. The test looks for what was really
 * done; each way exits with 0 only if it was done. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define OF_32_BIT_UNLINK 10
#define OF_32_BIT_ACCESS 33
#define OF_32_BIT_SOCKET 359

/* INT 80 with rcx and r11 as SYSCALL would leave them, which determines the second argument. */
static long forged_int80(long number, long b, long d)
{
	long result;
	asm volatile("lea 1f(%%rip), %%rcx\n\t"
		     "pushfq\n\t"
		     "pop %%r11\n\t"
		     "int $0x80\n"
		     "1:"
		     : "=a"(result)
		     : "0"(number), "b"(b), "d"(d)
		     : "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
	return result;
}

static int by_int80(const char *path)
{
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	strcpy(low, path);
	forged_int80(OF_32_BIT_SOCKET, 1, 0); /* a type that does not exist */
	return forged_int80(OF_32_BIT_UNLINK, (long)low, 0) != 0;
}

/* SYSCALL, which overwrites rcx and r11, with all other registers set to look like another call. */
static int by_syscall(const char *path)
{
	long result;
	asm volatile("mov $20, %%ebx\n\tmov $20, %%ecx\n\tmov $20, %%r11d\n\tsyscall"
		     : "=a"(result)
		     : "0"(SYS_unlink), "D"(path)
		     : "rbx", "rcx", "r11", "memory");
	return result != 0;
}

/* x32's bit: a kernel with x32 numbers its calls like 64-bit ones. */
static int by_x32(const char *path)
{
	long result = syscall(0x40000000 + SYS_unlink, path);
	return !(result == 0 || errno == ENOSYS);
}

/* A vsyscall is not a system call: the kernel emulates it in the page fault. Later calls are recorded as usual. */
static int by_vsyscall(const char *path)
{
	pid_t child = fork();
	if (child == 0) {
		((long (*)(long *))0xffffffffff600400)(NULL); /* time */
		_exit(0);
	}
	waitpid(child, NULL, 0); /* SIGSEGV if vsyscalls are off */
	return unlink(path) != 0;
}

static struct user_regs_struct registers_of(pid_t child)
{
	struct user_regs_struct registers;
	ptrace(PTRACE_GETREGS, child, 0, &registers);
	return registers;
}

static pid_t traced(long options, int (*program)(const char *), const char *path)
{
	pid_t child = fork();
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(program(path));
	}
	waitpid(child, NULL, 0);
	ptrace(PTRACE_SETOPTIONS, child, 0, options | PTRACE_O_EXITKILL);
	return child;
}

static int status_of(pid_t child)
{
	int status;
	ptrace(PTRACE_CONT, child, 0, 0);
	waitpid(child, &status, 0);
	return !WIFEXITED(status) || WEXITSTATUS(status);
}

static int asks_for_its_parent(const char *path)
{
	return syscall(SYS_getppid, path) != 0;
}

/* A tracer turns getppid into unlink at the call's entry. */
static int by_tracer(const char *path)
{
	pid_t child = traced(PTRACE_O_TRACESYSGOOD, asks_for_its_parent, path);
	struct user_regs_struct registers;
	do {
		ptrace(PTRACE_SYSCALL, child, 0, 0);
		waitpid(child, NULL, 0);
		registers = registers_of(child);
	} while (registers.orig_rax != SYS_getppid);
	registers.orig_rax = SYS_unlink;
	ptrace(PTRACE_SETREGS, child, 0, &registers);
	return status_of(child);
}

static int forks(const char *path)
{
	pid_t child = syscall(SYS_fork);
	if (child == 0)
		_exit(0);
	return child < 0 || unlink(path);
}

/* A tracer writes another number and other arguments into the registers in the middle of a fork. */
static int in_mid_call(const char *path)
{
	pid_t child = traced(PTRACE_O_TRACEFORK, forks, path), grandchild;
	int status;
	ptrace(PTRACE_CONT, child, 0, 0);
	waitpid(child, &status, 0);
	if (status >> 8 != (SIGTRAP | PTRACE_EVENT_FORK << 8))
		return 1;
	ptrace(PTRACE_GETEVENTMSG, child, 0, &grandchild);
	struct user_regs_struct registers = registers_of(child);
	registers.orig_rax = SYS_getuid;
	ptrace(PTRACE_SETREGS, child, 0, &registers);
	waitpid(grandchild, NULL, __WALL);
	ptrace(PTRACE_DETACH, grandchild, 0, 0);
	ptrace(PTRACE_CONT, child, 0, 0);
	while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) /* SIGCHLD */
		ptrace(PTRACE_CONT, child, 0, 0);
	return !WIFEXITED(status) || WEXITSTATUS(status);
}

static int filtered(const char *path)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof steps / sizeof *steps, steps};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
	return asks_for_its_parent(path);
}

/* seccomp asks a tracer, which turns getppid into unlink. */
static int by_seccomp(const char *path)
{
	pid_t child = traced(PTRACE_O_TRACESECCOMP, filtered, path);
	int status;
	ptrace(PTRACE_CONT, child, 0, 0);
	waitpid(child, &status, 0);
	if (status >> 8 != (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
		return 1;
	struct user_regs_struct registers = registers_of(child);
	registers.orig_rax = SYS_unlink;
	ptrace(PTRACE_SETREGS, child, 0, &registers);
	return status_of(child);
}

static void set_registers(int number, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	registers[REG_RCX] = registers[REG_RIP];
	registers[REG_R11] = registers[REG_EFL];
	registers[REG_RBX] = OF_32_BIT_ACCESS;
}

/* A signal's return sets the registers as SYSCALL leaves them; the program continues with INT 80, then SYSCALL. */
static int by_sigreturn(const char *path)
{
	struct sigaction action = {.sa_sigaction = set_registers, .sa_flags = SA_SIGINFO};
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	return by_int80(path) || unlink(path) != -1;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*way)(const char *path);
	} ways[] = {
		{"int80", by_int80},   {"syscall", by_syscall},   {"x32", by_x32},         {"vsyscall", by_vsyscall},
		{"tracer", by_tracer}, {"mid-call", in_mid_call}, {"seccomp", by_seccomp}, {"sigreturn", by_sigreturn},
	};
	for (unsigned n = 0; n < sizeof ways / sizeof *ways; n++)
		if (argc == 3 && strcmp(argv[1], ways[n].name) == 0)
			return ways[n].way(argv[2]);
	return 2;
}
