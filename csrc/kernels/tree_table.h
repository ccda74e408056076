/* Compiles the kernels of the search for the instruction set whose simd/ header came before. */
#include "kernels.h"
#include "tree.h"

#include <string.h>

SCP_SIMD_BEGIN
#include "tree_body.h"
SCP_SIMD_END

#define TREE_JOIN(a, b) a##b
#define TREE_TABLE(isa) TREE_JOIN(scp_tree_kernels_, isa)

const struct scp_tree_kernels TREE_TABLE(SCP_SIMD_NAME) = {
    .expand = tree_expand,
    .roots = tree_roots,
    .filter = tree_filter,
    .shortlist = tree_shortlist,
    .spread = tree_spread,
    .find = tree_find,
    .peak = tree_peak,
    .quantise = tree_quantise,
    .quantise4 = tree_quantise4,
};
