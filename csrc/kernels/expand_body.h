/* One step down the quadtree; included once per instruction set. */

static size_t expand(float *out_bound, uint32_t *out_node, const float *bound, const uint32_t *node,
                     size_t count, const int16_t *query, const int16_t *cells, size_t channels,
                     float scale, float slack, float least) {
    const size_t ahead = 4;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (i + ahead < count) { /* the children lie anywhere in the level: ask for them early */
            const char *next = (const char *)(cells + 4 * (size_t)node[i + ahead] * channels);
            for (size_t line = 0; line < 8 * channels; line += 64) __builtin_prefetch(next + line);
        }
        int32_t dots[4];
        float bounds[4];
        i16_dot4(dots, query, cells + 4 * (size_t)node[i] * channels, channels);
        const unsigned mask = i32x4_bounds(bounds, dots, bound[i], scale, slack, least);
        const uint32_t first = 4 * node[i];
        for (uint32_t j = 0; j < 4;
             j++) { /* write always, advance if kept: nothing to mispredict */
            out_bound[kept] = bounds[j];
            out_node[kept] = first + j;
            kept += mask >> j & 1;
        }
    }
    return kept;
}
