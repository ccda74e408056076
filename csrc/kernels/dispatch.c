#include "kernels.h"
#include "nn.h"
#include "train.h"
#include "tree.h"
#include "scp/cpu.h"

/* The table of the instruction set in use. */
#if defined(__x86_64__)
#define OF_SET(tables)                                                                             \
    (scp_isa() == SCP_ISA_AVX512 ? &tables##_avx512                                                \
     : scp_isa() == SCP_ISA_AVX2 ? &tables##_avx2                                                  \
                                 : &tables##_portable)
#elif defined(__aarch64__)
#define OF_SET(tables) (scp_isa() == SCP_ISA_NEON ? &tables##_neon : &tables##_portable)
#else
#define OF_SET(tables) (&tables##_portable)
#endif

const struct scp_kernels *scp_kernels(void) {
    return OF_SET(scp_kernels);
}

const struct scp_nn_kernels *scp_nn_kernels(void) {
    return OF_SET(scp_nn_kernels);
}

const struct scp_train_kernels *scp_train_kernels(void) {
    return OF_SET(scp_train_kernels);
}

const struct scp_tree_kernels *scp_tree_kernels(void) {
#if defined(__x86_64__)
    if (scp_isa() == SCP_ISA_AVX512 && __builtin_cpu_supports("avx512vnni"))
        return &scp_tree_kernels_avx512vnni;
#endif
    return OF_SET(scp_tree_kernels);
}
