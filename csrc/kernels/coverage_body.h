/* Coverage sums; included once per instruction set. See kernels.h for the orders of summation.
 * Plain loops here have explicit lanes: the compiler may use vectors but cannot change the order.
 */

#define COVERAGE_CHUNK 256

static double coverage_lanes_sum(const double lane[8]) {
    const double a = lane[0] + lane[4], b = lane[1] + lane[5];
    const double c = lane[2] + lane[6], d = lane[3] + lane[7];
    return (a + c) + (b + d);
}

static void coverage_best(float *restrict best, const float *restrict row, size_t n) {
    for (size_t i = 0; i < n; i++) best[i] = row[i] > best[i] ? row[i] : best[i];
}

static double coverage_score(const double *weights, const float *base, const float *values,
                             size_t stride, const uint32_t *set, size_t count, size_t n) {
    double lane[8] = {0};
    float best[COVERAGE_CHUNK];
    for (size_t at = 0; at < n; at += COVERAGE_CHUNK) {
        const size_t size = n - at < COVERAGE_CHUNK ? n - at : COVERAGE_CHUNK;
        memcpy(best, base + at, size * sizeof *best);
        for (size_t k = 0; k < count; k++) coverage_best(best, values + set[k] * stride + at, size);
        size_t i = 0;
        for (; i + 8 <= size; i += 8)
            for (size_t j = 0; j < 8; j++) lane[j] += weights[at + i + j] * (double)best[i + j];
        for (int j = 0; i < size; i++, j++) lane[j] += weights[at + i] * (double)best[i];
    }
    return coverage_lanes_sum(lane);
}

static double coverage_weighted_excess(const double *weights, const double *threshold,
                                       const float *row, size_t n) {
    double lane[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++) {
            const double excess = weights[i + j] * (double)row[i + j] - threshold[i + j];
            lane[j] += excess > 0 ? excess : 0;
        }
    for (int j = 0; i < n; i++, j++) {
        const double excess = weights[i] * (double)row[i] - threshold[i];
        lane[j] += excess > 0 ? excess : 0;
    }
    return coverage_lanes_sum(lane);
}

#define COVERAGE_FLUSH 512 /* clients summed in float32 before a flush: 32 per lane */

static inline f32x16 coverage_excess_of(f32x16 v, f32x16 t) {
    return f32x16_max(f32x16_sub(v, t), f32x16_set(0));
}

static void coverage_excess4(double out[4], const float *r0, const float *r1, const float *r2,
                             const float *r3, const float *threshold, size_t n) {
    float sum[4], tail[5][16] = {{0}};
    out[0] = out[1] = out[2] = out[3] = 0;
    const size_t whole = n & ~(size_t)15;
    for (size_t at = 0; at < whole; at += COVERAGE_FLUSH) {
        const size_t end = whole - at < COVERAGE_FLUSH ? whole : at + COVERAGE_FLUSH;
        f32x16 a = f32x16_set(0), b = a, c = a, d = a;
        for (size_t i = at; i < end; i += 16) {
            const f32x16 t = f32x16_load(threshold + i);
            a = f32x16_add(a, coverage_excess_of(f32x16_load(r0 + i), t));
            b = f32x16_add(b, coverage_excess_of(f32x16_load(r1 + i), t));
            c = f32x16_add(c, coverage_excess_of(f32x16_load(r2 + i), t));
            d = f32x16_add(d, coverage_excess_of(f32x16_load(r3 + i), t));
        }
        f32x16_sum4(sum, a, b, c, d);
        for (int k = 0; k < 4; k++) out[k] += (double)sum[k];
    }
    if (whole == n) return;
    const float *rows[5] = {r0, r1, r2, r3, threshold};
    for (int k = 0; k < 5; k++) memcpy(tail[k], rows[k] + whole, (n - whole) * sizeof(float));
    const f32x16 t = f32x16_load(tail[4]);
    f32x16_sum4(sum, coverage_excess_of(f32x16_load(tail[0]), t),
                coverage_excess_of(f32x16_load(tail[1]), t),
                coverage_excess_of(f32x16_load(tail[2]), t),
                coverage_excess_of(f32x16_load(tail[3]), t));
    for (int k = 0; k < 4; k++) out[k] += (double)sum[k];
}

static void coverage_draws(double *sums, const float *base, const float *values, size_t stride,
                           size_t n, const uint32_t *sets, size_t m, size_t n_sets) {
    for (size_t s = 0; s < n_sets; s++) {
        const uint32_t *set = sets + s * m;
        f32x16 sum = f32x16_set(0);
        size_t i = 0;
        for (; i + 64 <= n; i += 64) {
            f32x16 a = f32x16_load(base + i), b = f32x16_load(base + i + 16);
            f32x16 c = f32x16_load(base + i + 32), d = f32x16_load(base + i + 48);
            for (size_t k = 0; k < m; k++) {
                const float *row = values + set[k] * stride + i;
                a = f32x16_max(a, f32x16_load(row));
                b = f32x16_max(b, f32x16_load(row + 16));
                c = f32x16_max(c, f32x16_load(row + 32));
                d = f32x16_max(d, f32x16_load(row + 48));
            }
            sum = f32x16_add(sum, f32x16_add(f32x16_add(a, b), f32x16_add(c, d)));
        }
        double total = (double)f32x16_sum(sum);
        for (; i < n; i++) {
            float best = base[i];
            for (size_t k = 0; k < m; k++) {
                const float v = values[set[k] * stride + i];
                best = v > best ? v : best;
            }
            total += (double)best;
        }
        sums[s] += total;
    }
}

static void coverage_exchange(double sums[2], const float *row, const uint32_t *client,
                              const float *d1, const float *d2, const double *w, size_t n) {
    double gain[8] = {0}, keep[8] = {0};
    float above[COVERAGE_CHUNK], kept[COVERAGE_CHUNK], v[COVERAGE_CHUNK];
    for (size_t at = 0; at < n; at += COVERAGE_CHUNK) {
        const size_t size = n - at < COVERAGE_CHUNK ? n - at : COVERAGE_CHUNK;
        for (size_t i = 0; i < size; i++) v[i] = row[client[at + i]];
        for (size_t i = 0; i < size; i++) {
            const float a = d1[at + i], b = d2[at + i], low = v[i] < a ? v[i] : a;
            above[i] = v[i] > a ? v[i] : a;
            kept[i] = low > b ? low : b;
        }
        size_t i = 0;
        for (; i + 8 <= size; i += 8)
            for (size_t j = 0; j < 8; j++) {
                const size_t k = at + i + j;
                gain[j] += w[k] * ((double)above[i + j] - (double)d1[k]);
                keep[j] += w[k] * ((double)kept[i + j] - (double)d2[k]);
            }
        for (int j = 0; i < size; i++, j++) {
            gain[j] += w[at + i] * ((double)above[i] - (double)d1[at + i]);
            keep[j] += w[at + i] * ((double)kept[i] - (double)d2[at + i]);
        }
    }
    sums[0] = coverage_lanes_sum(gain);
    sums[1] = coverage_lanes_sum(keep);
}

static void coverage_count(float *restrict counts, const float *restrict row,
                           const float *restrict threshold, size_t n) {
    for (size_t i = 0; i < n; i++) counts[i] += row[i] > threshold[i] ? 1.0f : 0.0f;
}

static double coverage_sum(const float *x, size_t n) {
    double lane[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++) lane[j] += (double)x[i + j];
    for (int j = 0; i < n; i++, j++) lane[j] += (double)x[i];
    return coverage_lanes_sum(lane);
}

static double coverage_direct(float *restrict direction, const float *restrict counts,
                              const float *restrict lambda, const float *restrict floor,
                              float memory, size_t n) {
    double lane[8] = {0};
    size_t i = 0;
    for (size_t k = 0; k < n; k++) {
        const float d = (1.0f - counts[k]) + memory * direction[k];
        direction[k] = lambda[k] <= floor[k] && d > 0 ? 0 : d;
    }
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++) {
            const double d = (double)direction[i + j];
            lane[j] += d * d;
        }
    for (int j = 0; i < n; i++, j++) lane[j] += (double)direction[i] * (double)direction[i];
    return coverage_lanes_sum(lane);
}

static void coverage_step(float *restrict lambda, const float *restrict direction,
                          const float *restrict floor, float length, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const float x = lambda[i] - length * direction[i];
        lambda[i] = x > floor[i] ? x : floor[i];
    }
}

static void coverage_range(float *restrict low, float *restrict high, const float *restrict row,
                           size_t n) {
    for (size_t i = 0; i < n; i++) {
        const float v = row[i], a = v < 0 ? -v : v;
        low[i] = v < low[i] ? v : low[i];
        high[i] = a > high[i] ? a : high[i];
    }
}

#undef COVERAGE_CHUNK
#undef COVERAGE_FLUSH
