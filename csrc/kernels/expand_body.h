/* One step down the quadtree; included once per instruction set. */

static inline size_t expand_channels(float *restrict out_bound, uint32_t *restrict out_node,
                                     const float *restrict bound, const uint32_t *restrict node,
                                     size_t count, const int16_t *restrict query,
                                     const int16_t *restrict cells, size_t channels, float scale,
                                     float slack, float least) {
    const size_t ahead = 4;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (i + ahead < count) { /* the children lie anywhere in the level: ask for them early */
            const char *next = (const char *)(cells + 4 * (size_t)node[i + ahead] * channels);
            for (size_t line = 0; line < 8 * channels; line += 64) __builtin_prefetch(next + line);
        }
        const f32x4 dots = i16_quad(query, cells + 4 * (size_t)node[i] * channels, channels);
        kept += f32x4_pack(out_bound + kept, out_node + kept,
                           f32x4_bound(dots, bound[i], scale, slack), 4 * node[i], least);
    }
    return kept;
}

static size_t expand(float *out_bound, uint32_t *out_node, const float *bound, const uint32_t *node,
                     size_t count, const int16_t *query, const int16_t *cells, size_t channels,
                     float scale, float slack, float least) {
    if (channels == 64) /* the default: unrolled, with the query in registers */
        return expand_channels(out_bound, out_node, bound, node, count, query, cells, 64, scale,
                               slack, least);
    return expand_channels(out_bound, out_node, bound, node, count, query, cells, channels, scale,
                           slack, least);
}

static size_t filter(float *out_bound, uint32_t *out_node, const float *bound, const uint32_t *node,
                     size_t count, float least, float below) {
    size_t kept = 0;
    for (size_t i = 0; i + 4 <= count; i += 4)
        kept +=
            f32x4_pack_range(out_bound + kept, out_node + kept, bound + i, node + i, least, below);
    for (size_t i = count / 4 * 4; i < count; i++) {
        out_bound[kept] = bound[i];
        out_node[kept] = node[i];
        kept += (size_t)(bound[i] >= least && bound[i] < below);
    }
    return kept;
}
