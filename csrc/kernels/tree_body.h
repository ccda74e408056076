/* The pruned search's kernels; included once per instruction set. */

/* Upper bounds of similarities. */
static inline f32x16 bounds_of(f32x16 dots, const struct scp_tree_query *query) {
    const f32x16 c =
        f32x16_add(f32x16_mul(dots, f32x16_set(query->scale)), f32x16_set(query->slack));
    return f32x16_min(f32x16_max(c, f32x16_set(0)), f32x16_set(1));
}

/* The bounds of the children of four nodes. */
static inline __attribute__((always_inline)) f32x16 children(const float *bound,
                                                             const uint32_t *node,
                                                             const struct scp_tree_query *query,
                                                             const uint8_t *cells,
                                                             size_t channels) {
    const f32x16 dots = u8_children(query->vector, query->sum, cells, node, channels);
    return f32x16_mul(f32x16_load_fourfold(bound), bounds_of(dots, query));
}

static inline __attribute__((always_inline)) size_t
expand_channels(float *restrict out_bound, uint32_t *restrict out_node, const float *restrict bound,
                const uint32_t *restrict node, size_t count, const struct scp_tree_query *query,
                const uint8_t *restrict cells, size_t channels, float min) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i += 4)
        kept += f32x16_pack_children(out_bound + kept, out_node + kept,
                                     children(bound + i, node + i, query, cells, channels),
                                     node + i, min);
    return kept;
}

static size_t tree_expand(float *out_bound, uint32_t *out_node, const float *bound,
                          const uint32_t *node, size_t count, const struct scp_tree_query *query,
                          const uint8_t *cells, size_t channels, float min) {
    if (channels == 64) /* gradient features: unrolled, with the query in registers */
        return expand_channels(out_bound, out_node, bound, node, count, query, cells, 64, min);
    if (channels == 32) /* those of the `laptop` preset */
        return expand_channels(out_bound, out_node, bound, node, count, query, cells, 32, min);
    return expand_channels(out_bound, out_node, bound, node, count, query, cells, channels, min);
}

static inline __attribute__((always_inline)) float
spread_channels(float *restrict out_bound, uint32_t *restrict out_node, const float *restrict bound,
                const uint32_t *restrict node, size_t count, const struct scp_tree_query *query,
                const uint8_t *restrict cells, size_t channels) {
    f32x16 large = f32x16_set(0);
    for (size_t i = 0; i < count; i += 4) {
        const f32x16 b = children(bound + i, node + i, query, cells, channels);
        large = f32x16_max(large, b);
        f32x16_store(out_bound + 4 * i, b);
        u32x16_children(out_node + 4 * i, node + i);
    }
    return f32x16_largest(large);
}

static float tree_spread(float *out_bound, uint32_t *out_node, const float *bound,
                         const uint32_t *node, size_t count, const struct scp_tree_query *query,
                         const uint8_t *cells, size_t channels) {
    if (channels == 64)
        return spread_channels(out_bound, out_node, bound, node, count, query, cells, 64);
    if (channels == 32)
        return spread_channels(out_bound, out_node, bound, node, count, query, cells, 32);
    return spread_channels(out_bound, out_node, bound, node, count, query, cells, channels);
}

static float tree_roots(float *bounds, const struct scp_tree_query *query, const uint8_t *cells,
                        size_t count, size_t channels) {
    f32x16 large = f32x16_set(0);
    for (size_t i = 0; i < count; i += 16) {
        const f32x16 b =
            bounds_of(u8_sixteen(query->vector, query->sum, cells + i * channels, channels), query);
        large = f32x16_max(large, b);
        f32x16_store(bounds + i, b);
    }
    return f32x16_largest(large);
}

static size_t tree_filter(float *out_bound, uint32_t *out_node, const float *bound,
                          const uint32_t *node, size_t count, float min) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i += 16)
        kept += f32x16_pack(out_bound + kept, out_node + kept, bound + i, node + i, min);
    return kept;
}

/* How many values reach each of three limits. */
static inline __attribute__((always_inline)) void reach3(size_t reach[3], const float *values,
                                                         size_t count, float low, float quarter) {
    const f32x16 a = f32x16_set(low + quarter), b = f32x16_set(low + 2 * quarter);
    const f32x16 c = f32x16_set(low + 3 * quarter);
    reach[0] = reach[1] = reach[2] = 0;
    for (size_t i = 0; i < count; i += 16) { /* the zeros behind reach nothing but 0 */
        const f32x16 v = f32x16_load(values + i);
        reach[0] += (size_t)f32x16_reach(v, a);
        reach[1] += (size_t)f32x16_reach(v, b);
        reach[2] += (size_t)f32x16_reach(v, c);
    }
}

static size_t tree_shortlist(float *out_bound, uint32_t *out_node, float *left, float *bound,
                             const uint32_t *node, size_t count, float largest, size_t max,
                             float share) {
    const f32x16 zero = f32x16_set(0);
    f32x16 others = zero;
    float high = largest, low = share * high;
    size_t reached = 0, kept = 0;
    for (size_t i = 0; i < count; i += 16)
        reached += (size_t)f32x16_reach(f32x16_load(bound + i), f32x16_set(low));
    if (reached > max) { /* low is reached by more, high is not, unless it is the largest */
        for (int round = 0; round < 3; round++) {
            const float quarter = 0.25f * (high - low);
            size_t reach[3];
            reach3(reach, bound, count, low, quarter);
            const int over = (reach[0] > max) + (reach[1] > max) + (reach[2] > max);
            const float next = low + (float)(over + 1) * quarter;
            high = next < high ? next : high;
            low = low + (float)over * quarter;
        }
    } else {
        high = low;
    }
    high = high > SCP_TINY ? high : SCP_TINY;
    const f32x16 limit = f32x16_set(high);
    for (size_t i = 0; i < count; i += 16) {
        const f32x16 v = f32x16_load(bound + i);
        const size_t more = (size_t)f32x16_reach(v, limit);
        if (kept + more > max) { /* ties: the first of them */
            for (size_t j = i; j < i + 16 && kept < max; j++)
                if (bound[j] >= high) {
                    out_bound[kept] = bound[j];
                    out_node[kept++] = node[j];
                    bound[j] = 0;
                }
            others = f32x16_max(others, f32x16_load(bound + i));
            continue;
        }
        const f32x16 below = f32x16_choose(f32x16_sub(limit, v), v, zero);
        f32x16_pack(out_bound + kept, out_node + kept, bound + i, node + i, high);
        f32x16_store(bound + i, below);
        others = f32x16_max(others, below);
        kept += more;
    }
    *left = f32x16_largest(others);
    return kept;
}

static size_t tree_find(const float *values, size_t count, float value) {
    size_t at = 0;
    while (at + 16 < count && !f32x16_reach(f32x16_load(values + at), f32x16_set(value))) at += 16;
    while (at + 1 < count && values[at] != value) at++;
    return at;
}

static float tree_max_abs(const float *in, size_t count) {
    const f32x16 zero = f32x16_set(0);
    f32x16 a = zero, b = zero; /* two chains */
    for (size_t i = 0; i < count; i += 16) {
        const f32x16 v = f32x16_load(in + i);
        a = f32x16_max(v, a);
        b = f32x16_min(v, b);
    }
    return f32x16_largest(f32x16_max(a, f32x16_sub(zero, b)));
}

static inline f32x16 add_square(f32x16 sum, f32x16 x) {
    return f32x16_add(sum, f32x16_mul(x, x));
}

static void tree_quantise(uint8_t *out, float sums[2], const float *in, float scale,
                          size_t channels) {
    const f32x16 units = f32x16_set(scale), half = f32x16_set(128.5f), middle = f32x16_set(128);
    f32x16 residuals = f32x16_set(0), squares = residuals;
    for (size_t c = 0; c < channels; c += 16) {
        const f32x16 v = f32x16_load(in + c), x = f32x16_mul(v, units);
        const f32x16 whole = f32x16_store_u8(out + c, f32x16_add(x, half));
        residuals = add_square(residuals, f32x16_sub(x, f32x16_sub(whole, middle)));
        squares = add_square(squares, v);
    }
    sums[0] = f32x16_sum(residuals);
    sums[1] = f32x16_sum(squares);
}

static void tree_quantise4(uint8_t *out, float sums[8], const float *const in[4],
                           const float scale[4], size_t channels) {
    const f32x16 half = f32x16_set(128.5f), middle = f32x16_set(128), zero = f32x16_set(0);
    const f32x16 units[4] = {f32x16_set(scale[0]), f32x16_set(scale[1]), f32x16_set(scale[2]),
                             f32x16_set(scale[3])};
    f32x16 residuals[4] = {zero, zero, zero, zero}, squares[4] = {zero, zero, zero, zero};
    for (size_t c = 0; c < channels; c += 16) {
        f32x16 x[4], whole[4];
        for (int n = 0; n < 4; n++) {
            const f32x16 v = f32x16_load(in[n] + c);
            squares[n] = add_square(squares[n], v);
            x[n] = f32x16_mul(v, units[n]);
            whole[n] = f32x16_add(x[n], half);
        }
        f32x16_store_u8x4(out + 4 * c, whole);
        for (int n = 0; n < 4; n++)
            residuals[n] = add_square(residuals[n], f32x16_sub(x[n], f32x16_sub(whole[n], middle)));
    }
    f32x16_sum4(sums, residuals[0], residuals[1], residuals[2], residuals[3]);
    f32x16_sum4(sums + 4, squares[0], squares[1], squares[2], squares[3]);
}
