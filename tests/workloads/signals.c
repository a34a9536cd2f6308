/* SPDX-License-Identifier: Apache-2.0 */
/* Sends itself SIGUSR1, which a handler takes. Prints its pid and the handler's address. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static volatile int handled;

static void handler(int number)
{
	handled = number;
}

int main(void)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
	sigaction(SIGUSR1, &action, 0);
	printf("%d %lu\n", getpid(), (unsigned long)handler);
	kill(getpid(), SIGUSR1);
	return handled != SIGUSR1;
}
