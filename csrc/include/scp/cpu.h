/* Instruction sets: what this CPU has, and which one the kernels use.
 * Every kernel family exists for each set and gives the same bits on all of them, but for those of
 * networks (scp/nn.h). */
#ifndef SCP_CPU_H
#define SCP_CPU_H

#include "scp/status.h"

enum scp_isa { SCP_ISA_PORTABLE = 0, SCP_ISA_AVX2, SCP_ISA_AVX512, SCP_ISA_NEON, SCP_ISA_COUNT };

/* "portable", "avx2", "avx512", "neon"; NULL for a number that is none. */
const char *scp_isa_name(enum scp_isa isa);

/* Non-zero when this build has the kernels and this CPU and system can run them. */
int scp_isa_available(enum scp_isa isa);

/* The set in use: the best available until scp_isa_set chose another. */
enum scp_isa scp_isa(void);

/* Forces a set by name, or the best one for NULL. SCP_EINVAL: no such name. SCP_EUNSUPPORTED: not
 * on this machine. Not to be called while kernels run. */
enum scp_status scp_isa_set(const char *name);

#endif
