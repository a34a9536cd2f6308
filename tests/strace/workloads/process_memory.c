// SPDX-License-Identifier: Apache-2.0
// Memory: mappings and their protection, advice, locks and keys.
#define _GNU_SOURCE
#include <linux/mman.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096L

static unsigned char resident[4];

int main(void)
{
	long at = syscall(SYS_mmap, 0L, 4 * PAGE, (long)PROT_READ | PROT_WRITE, (long)MAP_PRIVATE | MAP_ANONYMOUS, -1L,
			  0L);
	char *memory = (char *)at;

	syscall(SYS_mmap, at, PAGE, (long)PROT_NONE, (long)MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1L, 0L);
	syscall(SYS_mmap, 0L, PAGE, (long)PROT_READ | PROT_EXEC,
		(long)MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE | MAP_NORESERVE, -1L, 0L);
	syscall(SYS_mmap, 0L, PAGE, (long)PROT_READ, (long)MAP_SHARED, 99L, 0x1000L);
	syscall(SYS_mmap, 0L, 0L, 0x1000L, 0L, -1L, 0L);
	syscall(SYS_mmap, 0L, PAGE, (long)PROT_READ, (long)MAP_SHARED_VALIDATE | MAP_SYNC, -1L, 0L);
	syscall(SYS_mmap, 0L, PAGE, (long)PROT_READ | PROT_GROWSDOWN | PROT_SEM,
		(long)MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1L, 0L);
	syscall(SYS_mmap, 0L, PAGE, (long)PROT_READ | 0x20, (long)MAP_PRIVATE | MAP_HUGETLB | MAP_HUGE_2MB, 0L, 0L);
	syscall(SYS_mmap, 0L, PAGE, (long)PROT_READ | PROT_WRITE,
		(long)MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_GROWSDOWN, -1L, 0L);
	syscall(SYS_mprotect, at, PAGE, (long)PROT_READ | PROT_WRITE | PROT_EXEC);
	syscall(SYS_mprotect, 1L, PAGE, (long)PROT_NONE);
	syscall(SYS_mprotect, at, PAGE, 0x100L);
	syscall(SYS_madvise, at, PAGE, (long)MADV_DONTNEED);
	syscall(SYS_madvise, at, PAGE, (long)MADV_HUGEPAGE);
	syscall(SYS_madvise, at, PAGE, 77L);
	syscall(SYS_msync, at, PAGE, (long)MS_SYNC | MS_INVALIDATE);
	syscall(SYS_msync, at, PAGE, 0L);
	syscall(SYS_msync, at + 1, PAGE, (long)MS_ASYNC | 0x40);
	syscall(SYS_mincore, at, 3 * PAGE, resident);
	memory[PAGE] = 1;
	syscall(SYS_mincore, at, 3 * PAGE, resident);
	syscall(SYS_mincore, 1L, PAGE, resident);
	syscall(SYS_mincore, at, PAGE, 0L);
	syscall(SYS_mlock, at, PAGE);
	syscall(SYS_mlock2, at, PAGE, 1L);
	syscall(SYS_mlock2, at, PAGE, 4L);
	syscall(SYS_mlock2, at, PAGE, 0L);
	syscall(SYS_munlock, at, PAGE);
	syscall(SYS_munlock, 4096L, PAGE);
	syscall(SYS_mlockall, (long)MCL_ONFAULT);
	syscall(SYS_mlockall, 0x18L);
	syscall(SYS_mlockall, 0L);
	syscall(SYS_munlockall);
	long whole = syscall(SYS_mmap, 0L, 4 * PAGE, (long)PROT_READ, (long)MAP_PRIVATE | MAP_ANONYMOUS, -1L, 0L);
	long moved = syscall(SYS_mremap, whole, 4 * PAGE, 8 * PAGE, (long)MREMAP_MAYMOVE, 0L);
	syscall(SYS_mremap, moved, PAGE, PAGE, (long)MREMAP_MAYMOVE | MREMAP_FIXED, 0x100001L);
	syscall(SYS_mremap, moved, PAGE, 2 * PAGE, 0L, 0L);
	syscall(SYS_mremap, moved, PAGE, PAGE, 0x10L, 0L);
	syscall(SYS_munmap, moved, 8 * PAGE);
	syscall(SYS_munmap, 1L, PAGE);
	long end = syscall(SYS_brk, 0L);
	syscall(SYS_brk, end + PAGE);
	syscall(SYS_brk, end);
	int key = syscall(SYS_pkey_alloc, 0L, 1L);
	syscall(SYS_pkey_alloc, 0L, 3L);
	syscall(SYS_pkey_alloc, 1L, 0L);
	syscall(SYS_pkey_alloc, 0L, 0x15L);
	syscall(SYS_pkey_mprotect, end, PAGE, (long)PROT_READ, (long)key);
	syscall(SYS_pkey_mprotect, at, PAGE, (long)PROT_READ, -1L);
	syscall(SYS_pkey_free, 15L);
	syscall(SYS_pkey_free, -1L);
	syscall(SYS_memfd_secret, 0L);
	syscall(SYS_memfd_secret, 02000000L);
	syscall(SYS_memfd_secret, 1L);
	syscall(SYS_membarrier, 0L, 0L, 0L);
	syscall(SYS_membarrier, 16L, 0L, 0L);
	syscall(SYS_membarrier, 8L, 0L, 0L);
	syscall(SYS_membarrier, 128L, 1L, 1L);
	syscall(SYS_membarrier, 0x1000L, 0L, 0L);
	syscall(SYS_remap_file_pages, at, PAGE, 0L, 0L, (long)MAP_NONBLOCK);
	syscall(SYS_mbind, at, PAGE, 1L, 0L, 0L, 0L);
	syscall(SYS_set_mempolicy, 0L, 0L, 0L);
	syscall(SYS_set_mempolicy, 99L, 0L, 0L);
	static unsigned long nodes[1];
	static int mode;
	syscall(SYS_get_mempolicy, &mode, 0L, 0L, 0L, 0L);
	syscall(SYS_get_mempolicy, &mode, nodes, 64L, 0L, 4L);
	static int status[2];
	void *pages[] = {(void *)5, 0};
	int targets[] = {0, 1};
	syscall(SYS_move_pages, 0L, 2L, pages, 0L, status, 2L);
	syscall(SYS_move_pages, 0L, 2L, pages, targets, status, 0x10L);
	nodes[0] = 1;
	syscall(SYS_migrate_pages, 0L, 64L, nodes, nodes);
	syscall(SYS_migrate_pages, 999999L, 64L, nodes, 0L);
	syscall(SYS_set_mempolicy, 99L, nodes, 64L);
	syscall(450L /* set_mempolicy_home_node */, 1L, 2L, 3L, 4L);
	static char from[] = "remote bytes", to[16];
	struct iovec local = {to, 12}, remote[] = {{from, 6}, {from + 6, 6}};
	long self = getpid();
	syscall(SYS_process_vm_readv, self, &local, 1L, remote, 2L, 0L);
	syscall(SYS_process_vm_writev, self, &local, 1L, remote, 2L, 0L);
	syscall(SYS_process_vm_readv, self, &local, 1L, remote, 2L, 1L);
	syscall(SYS_process_vm_readv, 999999L, &local, 1L, remote, 1L, 0L);
	struct iovec page = {(void *)end, 0};
	syscall(SYS_process_madvise, -1L, &page, 1L, (long)MADV_COLD, 0L);
	syscall(SYS_process_madvise, 99L, &page, 1L, (long)MADV_WILLNEED, 1L);
	syscall(SYS_process_mrelease, 99L, 0L);
	syscall(SYS_userfaultfd, 0x80001L);
	syscall(SYS_userfaultfd, 4L);
	syscall(SYS_userfaultfd, 02004000L);
	return 0;
}
