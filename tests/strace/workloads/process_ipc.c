// SPDX-License-Identifier: Apache-2.0
// System V's shared memory, semaphores and messages, and POSIX message queues.
#define _GNU_SOURCE
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
	static struct shmid_ds memory_state;
	static struct semid_ds semaphore_state;
	static struct msqid_ds queue_state;
	static char page[256];
	struct timespec soon = {0, 1000000};

	syscall(SYS_unshare, (long)CLONE_NEWIPC); /* ids start anew */
	long memory = syscall(SYS_shmget, (long)IPC_PRIVATE, 4096L, (long)IPC_CREAT | 0600);
	syscall(SYS_shmget, 0x12345L, 8192L, (long)SHM_HUGETLB | 0644);
	syscall(SYS_shmget, 0x12345L, 8192L, 0L);
	long at = syscall(SYS_shmat, memory, 0L, (long)SHM_RDONLY);
	syscall(SYS_shmat, memory, 1L, (long)SHM_RND | SHM_REMAP);
	syscall(SYS_shmat, -1L, 0L, 0L);
	syscall(SYS_shmctl, memory, (long)IPC_STAT, &memory_state);
	syscall(SYS_shmctl, memory, (long)IPC_SET, &memory_state);
	syscall(SYS_shmctl, 0L, (long)IPC_INFO, page);
	syscall(SYS_shmctl, 0L, (long)SHM_INFO, page);
	syscall(SYS_shmctl, memory, (long)SHM_LOCK, 0L);
	syscall(SYS_shmdt, at);
	syscall(SYS_shmdt, 1L);
	syscall(SYS_shmctl, memory, (long)IPC_RMID, 0L);
	syscall(SYS_shmctl, memory, (long)IPC_STAT, &memory_state);
	syscall(SYS_shmctl, -1L, 99L, 0L);

	long set = syscall(SYS_semget, (long)IPC_PRIVATE, 3L, (long)IPC_CREAT | IPC_EXCL | 0666);
	syscall(SYS_semget, 0x5L, 1L, 0L);
	static struct sembuf steps[] = {{0, 2, SEM_UNDO}, {1, 0, IPC_NOWAIT}, {0, -1, SEM_UNDO | IPC_NOWAIT}};
	syscall(SYS_semop, set, steps, 3L);
	steps[1].sem_op = -1;
	syscall(SYS_semop, set, steps, 2L);
	steps[1].sem_flg = 0;
	syscall(SYS_semtimedop, set, &steps[1], 1L, &soon);
	syscall(SYS_semtimedop, set, steps, 1L, 0L);
	syscall(SYS_semop, set, steps, 0L);
	syscall(SYS_semop, -1L, steps, 1L);
	syscall(SYS_semop, -1L, 0L, 1L);
	syscall(SYS_semctl, set, 0L, (long)GETVAL, 0L);
	syscall(SYS_semctl, set, 0L, (long)SETVAL, 5L);
	syscall(SYS_semctl, set, 0L, (long)GETALL, page);
	syscall(SYS_semctl, set, 1L, (long)GETPID, 0L);
	syscall(SYS_semctl, set, 0L, (long)IPC_STAT, &semaphore_state);
	syscall(SYS_semctl, 0L, 0L, (long)SEM_INFO, page);
	syscall(SYS_semctl, set, 0L, (long)IPC_RMID, 0L);
	syscall(SYS_semctl, -1L, 0L, 99L, 0L);

	static struct {
		long type;
		char text[40];
	} message = {7, "a message of some length, more than 32"};
	long queue = syscall(SYS_msgget, (long)IPC_PRIVATE, (long)IPC_CREAT | 0600);
	syscall(SYS_msgget, 0x77L, 0L);
	syscall(SYS_msgsnd, queue, &message, 5L, 0L);
	syscall(SYS_msgsnd, queue, &message, 38L, (long)IPC_NOWAIT);
	syscall(SYS_msgctl, queue, (long)IPC_STAT, &queue_state);
	syscall(SYS_msgctl, queue, (long)IPC_SET, &queue_state);
	syscall(SYS_msgctl, queue, (long)MSG_INFO, page);
	syscall(SYS_msgrcv, queue, &message, 40L, 7L, (long)MSG_NOERROR);
	syscall(SYS_msgrcv, queue, &message, 40L, -9L, (long)MSG_EXCEPT | IPC_NOWAIT);
	syscall(SYS_msgrcv, queue, &message, 40L, 0L, (long)IPC_NOWAIT);
	message.type = -1;
	syscall(SYS_msgsnd, queue, &message, 3L, 0L);
	syscall(SYS_msgsnd, -1L, &message, 0L, 0L);
	syscall(SYS_msgctl, queue, (long)IPC_RMID, 0L);
	syscall(SYS_msgctl, -1L, 99L, 0L);

	struct mq_attr attributes = {.mq_flags = O_NONBLOCK, .mq_maxmsg = 3, .mq_msgsize = 64}, old;
	unsigned priority;
	syscall(SYS_mq_unlink, "traceloop-test-queue");
	long posix = syscall(SYS_mq_open, "traceloop-test-queue", (long)O_RDWR | O_CREAT | O_NONBLOCK, 0600L,
			     &attributes);
	syscall(SYS_mq_open, "traceloop-no-queue", (long)O_RDONLY, 0L, 0L);
	syscall(SYS_mq_open, "traceloop-test-queue", (long)O_WRONLY | O_CREAT | O_EXCL, 0600L, 0L);
	syscall(SYS_mq_timedsend, posix, "one message", 11L, 3L, 0L);
	syscall(SYS_mq_timedsend, posix, "two", 3L, 1L, &soon);
	syscall(SYS_mq_timedsend, -1L, "three", 5L, 0xffffffffL, 0L);
	syscall(SYS_mq_timedreceive, posix, page, 64L, &priority, 0L);
	syscall(SYS_mq_timedreceive, posix, page, 64L, &priority, &soon);
	syscall(SYS_mq_timedreceive, posix, page, 64L, &priority, 0L);
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 7};
	syscall(SYS_mq_notify, posix, &event);
	event.sigev_notify = SIGEV_NONE;
	syscall(SYS_mq_notify, posix, &event);
	syscall(SYS_mq_notify, posix, 0L);
	syscall(SYS_mq_notify, -1L, 0L);
	attributes.mq_flags = 0;
	syscall(SYS_mq_getsetattr, posix, &attributes, &old);
	syscall(SYS_mq_getsetattr, posix, 0L, &old);
	syscall(SYS_mq_getsetattr, -1L, 0L, &old);
	syscall(SYS_mq_unlink, "traceloop-test-queue");
	return 0;
}
