/* One step down the quadtree; included once per instruction set. */

static inline __attribute__((always_inline)) size_t expand_channels(
    float *restrict out_bound, uint32_t *restrict out_node, const float *restrict bound,
    const uint32_t *restrict node, size_t count, const int16_t *restrict query,
    const int16_t *restrict cells, size_t channels, float scale, float slack, float least) {
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
    if (channels == 64) /* gradient features: unrolled, with the query in registers */
        return expand_channels(out_bound, out_node, bound, node, count, query, cells, 64, scale,
                               slack, least);
    if (channels == 32) /* those of the `laptop` preset */
        return expand_channels(out_bound, out_node, bound, node, count, query, cells, 32, scale,
                               slack, least);
    return expand_channels(out_bound, out_node, bound, node, count, query, cells, channels, scale,
                           slack, least);
}

static void roots(float *bounds, const int16_t *query, const int16_t *cells, size_t count,
                  size_t channels, float scale, float slack) {
    const f32x16 zero = f32x16_set(0), one = f32x16_set(1);
    for (size_t i = 0; i < count; i += 16) {
        const f32x16 dots = i16_sixteen(query, cells + i * channels, channels);
        const f32x16 c = f32x16_add(f32x16_mul(dots, f32x16_set(scale)), f32x16_set(slack));
        f32x16_store(bounds + i, f32x16_min(f32x16_max(c, zero), one));
    }
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

static float shortlist(float *values, size_t count, size_t most, float share) {
    f32x16 large = f32x16_set(0);
    f32x16_store(values + count, large);
    for (size_t i = 0; i < count; i += 16) large = f32x16_max(large, f32x16_load(values + i));
    float high = f32x16_largest(large), low = share * high;
    if (count <= most) return low;
    for (int step = 0; step < 6; step++) {
        const float middle = 0.5f * (low + high);
        const f32x16 limit = f32x16_set(middle);
        size_t reach = 0; /* the zeros behind reach nothing unless all values are 0 */
        for (size_t i = 0; i < count; i += 16)
            reach += (size_t)f32x16_reach(f32x16_load(values + i), limit);
        const int over = reach > most;
        low = over ? middle : low;
        high = over ? high : middle;
    }
    return high;
}
