/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What the programs could not note because a table of the whole node was full: an element of the map `losses` each.
 * `traceloop_bpf.losses` mirrors this, and a test compares the mirror with what a C compiler says.
 */
#ifndef TRACELOOP_LOSSES_H
#define TRACELOOP_LOSSES_H

#define TL_LOSS_IN_CALL 0 /* threads in a call whose place in `entered` another one took: see enter */
#define TL_LOSS_RUNTIME 1 /* processes of runtimes that `runtimes` had no place for: they count as the container's */
#define TL_LOSS_ENTRY 2   /* tl_entry for which `births` had no room: of these, no descriptors are known */
#define TL_LOSSES 3

#endif
