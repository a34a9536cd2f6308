/* SPDX-License-Identifier: Apache-2.0 */
/* Sends every form of siginfo to a process that does not exist: each signal and code has its own fields. */
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 0x7ffffff0
#define COUNT(array) (sizeof(array) / sizeof *(array))

static void send(int signal, int error, int code, const int *values, int count)
{
	int info[32] = {signal, error, code};
	memcpy(info + 4, values, count * sizeof *values);
	syscall(SYS_rt_sigqueueinfo, NOBODY, SIGUSR1, info);
}

int main(void)
{
	static const int signals[] = {SIGUSR1, SIGCHLD, SIGSEGV, SIGILL, SIGFPE, SIGBUS,
				      SIGTRAP, SIGIO,   SIGSYS,  34,     99};
	static const int codes[] = {SI_USER,  SI_QUEUE,  SI_TIMER, SI_MESGQ, SI_ASYNCIO, SI_SIGIO,
				    SI_TKILL, SI_KERNEL, -7,       -8,       -60,        129};
	static const int full[] = {4, 5, 6, 7, 8, 9, 10, 11}, none[8];
	static const int archs[] = {0xc000003e, 0x40000003, 0xc00000b7, 3}, numbers[] = {39, 0, 999, -1};
	for (size_t s = 0; s < COUNT(signals); s++) {
		for (size_t c = 0; c < COUNT(codes); c++) {
			send(signals[s], 0, codes[c], full, 8);
			send(signals[s], 0, codes[c], none, 8);
		}
		for (int code = 1; code < 10; code++) { /* code 10 has a name since Linux 6.6 */
			send(signals[s], 0, code, full, 8);
			send(signals[s], 2, code, none, 8);
		}
		for (int one = 0; one < 8; one++) {
			int values[8] = {0};
			values[one] = 5;
			send(signals[s], 0, 1, values, 8);
			send(signals[s], 0, SI_KERNEL, values, 8);
			send(signals[s], 0, SI_QUEUE, values, 8);
		}
	}
	for (size_t a = 0; a < COUNT(archs); a++)
		for (size_t n = 0; n < COUNT(numbers); n++) {
			const int values[] = {1, 0, numbers[n], archs[a]};
			send(SIGSYS, 0, 1, values, 4);
		}
	send(0, 0, 0, full, 8);
	send(SIGUSR1, 99999, 0, none, 8);
	send(SIGUSR1, -1, 0, none, 8);
	return 0;
}
