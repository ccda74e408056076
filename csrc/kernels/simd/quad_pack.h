/* f32x4_pack_range in plain C, for the sets that have no instruction to pack lanes. */
#ifndef SCP_SIMD_QUAD_PACK_H
#define SCP_SIMD_QUAD_PACK_H

#include <stddef.h>
#include <stdint.h>

/* Writes the pairs with least <= value < below to value and node, packed; returns how many. May
 * write four entries whatever it returns. */
static inline size_t f32x4_pack_range(float *value, uint32_t *node, const float *values,
                                      const uint32_t *nodes, float least, float below) {
    size_t kept = 0;
    for (int j = 0; j < 4; j++) {
        value[kept] = values[j];
        node[kept] = nodes[j];
        kept += (size_t)(values[j] >= least) & (size_t)(values[j] < below);
    }
    return kept;
}

#endif
