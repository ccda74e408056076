/* Reading maps: plain, through a pending transform, and gradients through the pull of a norm and an
 * activation (nn/map.h); included once per instruction set. Pixels go in groups: memory
 * is read in order, and coefficients stay in registers for a group. */

#define MAPS_GROUP 16 /* pixels */

static void maps_copy(float *out, size_t out_pixel, const float *in, size_t in_pixel, size_t count,
                      size_t channels) {
    for (size_t i = 0; i < count; i++, out += out_pixel, in += in_pixel)
        for (size_t j = 0; j < channels; j += 16) f32x16_store(out + j, f32x16_load(in + j));
}

static void maps_pending(float *out, size_t out_pixel, const float *in, size_t in_pixel,
                         size_t count, size_t channels, const struct scp_pending_row *row) {
    const f32x16 zero = f32x16_set(0);
    for (size_t g = 0; g < count; g += MAPS_GROUP)
        for (size_t j = 0; j < channels; j += 16) {
            const size_t end = count - g < MAPS_GROUP ? count : g + MAPS_GROUP;
            const f32x16 scale = f32x16_load(row->scale + j), shift = f32x16_load(row->shift + j);
            const f32x16 slope = f32x16_load(row->slope + j);
            for (size_t i = g; i < end; i++) {
                const f32x16 t = f32x16_fma(scale, f32x16_load(in + i * in_pixel + j), shift);
                f32x16_store(out + i * out_pixel + j,
                             f32x16_fma(slope, f32x16_min(zero, t), f32x16_max(zero, t)));
            }
        }
}

static void maps_pull(float *out, size_t out_pixel, const float *in, size_t in_pixel,
                      const float *raw, size_t raw_pixel, size_t count, size_t channels,
                      const struct scp_pull_row *row) {
    for (size_t g = 0; g < count; g += MAPS_GROUP)
        for (size_t j = 0; j < channels; j += 16) {
            const size_t end = count - g < MAPS_GROUP ? count : g + MAPS_GROUP;
            const f32x16 scale = f32x16_load(row->pending.scale + j);
            const f32x16 shift = f32x16_load(row->pending.shift + j);
            const f32x16 slope = f32x16_load(row->pending.slope + j);
            const f32x16 a = row->a ? f32x16_load(row->a + j) : scale;
            const f32x16 b = row->a ? f32x16_load(row->b + j) : f32x16_set(0);
            const f32x16 c = row->a ? f32x16_load(row->c + j) : f32x16_set(0);
            for (size_t i = g; i < end; i++) {
                const f32x16 x = f32x16_load(raw + i * raw_pixel + j);
                const f32x16 dz = f32x16_load(in + i * in_pixel + j);
                const f32x16 t = f32x16_fma(scale, x, shift);
                const f32x16 d = f32x16_choose(t, dz, f32x16_mul(dz, slope));
                f32x16_store(out + i * out_pixel + j, f32x16_fma(a, d, f32x16_fma(b, x, c)));
            }
        }
}

static void maps_add(float *sum, const float *in, size_t count) {
    f32x16 s = f32x16_load(sum);
    for (size_t i = 0; i < count; i++) s = f32x16_add(s, f32x16_load(in + i * 16));
    f32x16_store(sum, s);
}
