/* Packing lanes in plain C, for the sets that have no instruction for it. */
#ifndef SCP_SIMD_PACK_H
#define SCP_SIMD_PACK_H

#include <stddef.h>
#include <stdint.h>

/* Of 16 pairs, those with value >= min go to value and node, packed; returns how many.
 * May write 16 entries whatever it returns. */
static inline size_t f32x16_pack(float *value, uint32_t *node, const float *values,
                                 const uint32_t *nodes, float min) {
    size_t kept = 0;
    for (int j = 0; j < 16; j++) {
        value[kept] = values[j];
        node[kept] = nodes[j];
        kept += values[j] >= min;
    }
    return kept;
}

/* The numbers of the children of four nodes. */
static inline void u32x16_children(uint32_t *out, const uint32_t *node) {
    for (uint32_t j = 0; j < 16; j++) out[j] = 4 * node[j / 4] + j % 4;
}

/* Of the children of four nodes, those with a bound of at least `min` go to value, and their
 * numbers to out, packed; returns how many. May write 16 entries whatever it returns. */
static inline size_t pack_children(float *value, uint32_t *out, const float bounds[16],
                                   const uint32_t node[4], float min) {
    size_t kept = 0;
    for (uint32_t j = 0; j < 16; j++) {
        value[kept] = bounds[j];
        out[kept] = 4 * node[j / 4] + j % 4;
        kept += bounds[j] >= min;
    }
    return kept;
}

#endif
