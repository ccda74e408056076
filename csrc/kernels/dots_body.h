/* Dot products; included once per instruction set. See dots.h for the summation order. */

static void dots_quad(float out[4], const float *query, const float *row0, const float *row1,
                      size_t channels) {
    f32x16 a = f32x16_set(0), b = a, c = a, d = a;
    for (size_t i = 0; i < channels; i += 16) {
        const f32x16 q = f32x16_load(query + i);
        a = f32x16_add(a, f32x16_mul(q, f32x16_load(row0 + i)));
        b = f32x16_add(b, f32x16_mul(q, f32x16_load(row0 + channels + i)));
        c = f32x16_add(c, f32x16_mul(q, f32x16_load(row1 + i)));
        d = f32x16_add(d, f32x16_mul(q, f32x16_load(row1 + channels + i)));
    }
    f32x16_sum4(out, a, b, c, d);
}

static inline f32x16 dot_lanes(const float *query, const float *cell, size_t channels) {
    f32x16 a = f32x16_set(0);
    for (size_t i = 0; i < channels; i += 16)
        a = f32x16_add(a, f32x16_mul(f32x16_load(query + i), f32x16_load(cell + i)));
    return a;
}

static float dots_one(const float *query, const float *cell, size_t channels) {
    return f32x16_sum(dot_lanes(query, cell, channels));
}

static void dots_at(float *out, const float *queries, const float *vectors, const uint32_t *cells,
                    size_t count, size_t channels) {
    size_t i = 0;
    for (; i + 4 <= count; i += 4, queries += 4 * channels)
        f32x16_sum4(out + i, dot_lanes(queries, vectors + cells[i] * channels, channels),
                    dot_lanes(queries + channels, vectors + cells[i + 1] * channels, channels),
                    dot_lanes(queries + 2 * channels, vectors + cells[i + 2] * channels, channels),
                    dot_lanes(queries + 3 * channels, vectors + cells[i + 3] * channels, channels));
    for (; i < count; i++, queries += channels)
        out[i] = dots_one(queries, vectors + cells[i] * channels, channels);
}

static void dots_block(float *out, size_t stride, const float *queries, size_t query_stride,
                       size_t n_queries, const float *cells, size_t n_cells, size_t channels) {
    const size_t whole = n_cells / 4 * 4;
    for (size_t i = 0; i < whole; i += 4) {
        const float *first = cells + i * channels;
        for (size_t q = 0; q < n_queries; q++)
            dots_quad(out + q * stride + i, queries + q * query_stride, first, first + 2 * channels,
                      channels);
    }
    for (size_t i = whole; i < n_cells; i++)
        for (size_t q = 0; q < n_queries; q++)
            out[q * stride + i] =
                dots_one(queries + q * query_stride, cells + i * channels, channels);
}

/* The similarity of one level from dot products, and its product with the level above. */
static float dots_combine(float *row, const float *parents, float query_norm, const float *norms,
                          float epsilon, size_t count) {
    const f32x16 zero = f32x16_set(0), one = f32x16_set(1);
    const f32x16 query = f32x16_set(query_norm), eps = f32x16_set(epsilon);
    const f32x16 tiny = f32x16_set(SCP_TINY);
    f32x16 high = zero;
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const f32x16 n = f32x16_mul(query, f32x16_load(norms + i));
        const f32x16 g = f32x16_div(n, f32x16_max(f32x16_add(n, eps), tiny));
        f32x16 c = f32x16_mul(f32x16_load(row + i), g);
        c = f32x16_min(f32x16_max(c, zero), one);
        if (parents) c = f32x16_mul(f32x16_load_twice(parents + i / 2), c);
        f32x16_store(row + i, c);
        high = f32x16_max(high, c);
    }
    float largest = f32x16_largest(high);
    for (; i < count; i++) {
        float c = scp_similarity(row[i], query_norm, norms[i], epsilon);
        if (parents) c = parents[i / 2] * c;
        row[i] = c;
        largest = c > largest ? c : largest;
    }
    return largest;
}
