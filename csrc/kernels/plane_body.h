/* Distances in two dimensions; included once per instruction set. Minima are exact in any order;
 * sums have explicit lanes, as in coverage_body.h. */

#define PLANE_CHUNK 256 /* numbers between two looks at what is nearest */

static inline f32x16 plane_abs(f32x16 x) {
    return f32x16_max(x, f32x16_sub(f32x16_set(0), x));
}

static inline f32x16 plane_distance(const float *a, const float *b, f32x16 pa, f32x16 pb) {
    return f32x16_add(plane_abs(f32x16_sub(f32x16_load(a), pa)),
                      plane_abs(f32x16_sub(f32x16_load(b), pb)));
}

static inline float plane_smallest(f32x16 x) {
    return -f32x16_largest(f32x16_sub(f32x16_set(0), x));
}

static size_t plane_nearest(const float *a, const float *b, float pa, float pb, size_t n) {
    const f32x16 va = f32x16_set(pa), vb = f32x16_set(pb);
    float best = INFINITY;
    size_t first = 0;
    for (size_t at = 0; at < n; at += PLANE_CHUNK) {
        const size_t end = n - at < PLANE_CHUNK ? n : at + PLANE_CHUNK;
        f32x16 low = f32x16_set(INFINITY);
        size_t i = at;
        for (; i + 16 <= end; i += 16) low = f32x16_min(plane_distance(a + i, b + i, va, vb), low);
        float min = plane_smallest(low);
        for (; i < end; i++) {
            const float r = fabsf(a[i] - pa) + fabsf(b[i] - pb);
            min = r < min ? r : min;
        }
        if (min < best) {
            best = min;
            first = at;
        }
    }
    while (fabsf(a[first] - pa) + fabsf(b[first] - pb) > best) first++;
    return first;
}

static float plane_distances(float *out, const float *a, const float *b, float pa, float pb,
                             size_t n) {
    const f32x16 va = f32x16_set(pa), vb = f32x16_set(pb);
    f32x16 low = f32x16_set(INFINITY);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const f32x16 r = plane_distance(a + i, b + i, va, vb);
        f32x16_store(out + i, r);
        low = f32x16_min(r, low);
    }
    float min = plane_smallest(low);
    for (; i < n; i++) {
        out[i] = fabsf(a[i] - pa) + fabsf(b[i] - pb);
        min = out[i] < min ? out[i] : min;
    }
    return min;
}

static double plane_shares(float *r, float min, size_t n) {
    double lane[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++) {
            const float ratio = min / r[i + j];
            r[i + j] = (ratio * ratio) * (ratio * ratio);
            lane[j] += (double)r[i + j];
        }
    for (; i < n; i++) {
        const float ratio = min / r[i];
        r[i] = (ratio * ratio) * (ratio * ratio);
        lane[i % 8] += (double)r[i];
    }
    return coverage_lanes_sum(lane);
}

static void plane_subtract(double *restrict sums, const float *restrict r, double scale, size_t n) {
    for (size_t i = 0; i < n; i++) sums[i] -= scale * (double)r[i];
}

#undef PLANE_CHUNK
