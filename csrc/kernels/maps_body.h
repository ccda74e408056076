/* Reading maps: plain, with a deferred norm and activation, and gradients through both (maps.h);
 * included once per instruction set. Pixels go in groups: memory is read in order, and coefficients
 * stay in registers for a group. */

#define MAPS_GROUP 16 /* pixels */

static void maps_copy(float *out, size_t out_pixel, const float *in, size_t in_pixel, size_t count,
                      size_t channels) {
    for (size_t i = 0; i < count; i++, out += out_pixel, in += in_pixel)
        for (size_t j = 0; j < channels; j += 16) f32x16_store(out + j, f32x16_load(in + j));
}

static void maps_pack(float *packed, const float *from, size_t rows, size_t columns, size_t panel) {
    const size_t count = columns - panel * 16;
    for (size_t i = 0; i < rows; i++, packed += 16) {
        const float *row = from + i * columns + panel * 16;
        if (count >= 16)
            f32x16_store(packed, f32x16_load(row));
        else
            for (size_t j = 0; j < 16; j++) packed[j] = j < count ? row[j] : 0;
    }
}

/* A square of 16 x 16 at a time. */
static void maps_pack_transposed(float *packed, const float *from, size_t rows, size_t columns,
                                 size_t panel) {
    const size_t count = columns - panel * 16, whole = count < 16 ? 0 : rows / 16 * 16;
    from += panel * 16 * rows;
    for (size_t i = 0; i < whole; i += 4)
        for (size_t j = 0; j < 16; j += 4)
            f32x4_transpose(packed + 16 * i + j, from + rows * j + i, rows);
    for (size_t i = whole; i < rows; i++)
        for (size_t j = 0; j < 16; j++) packed[16 * i + j] = j < count ? from[rows * j + i] : 0;
}

/* A deferred norm and activation of 16 channels. */
struct affine {
    f32x16 scale, shift, slope;
};
static inline struct affine affine_load(const struct scp_deferred_row *row, size_t channel) {
    return (struct affine){f32x16_load(row->scale + channel), f32x16_load(row->shift + channel),
                           f32x16_load(row->slope + channel)};
}
/* slope lies in 0 .. 1: z is the larger of t and slope * t. */
static inline f32x16 affine_value(struct affine f, f32x16 x) {
    const f32x16 t = f32x16_fma(f.scale, x, f.shift);
    return f32x16_max(t, f32x16_mul(f.slope, t));
}
static inline f32x16 affine_backward(struct affine f, f32x16 x, f32x16 dz) {
    return f32x16_choose(f32x16_fma(f.scale, x, f.shift), dz, f32x16_mul(dz, f.slope));
}

static void maps_deferred(float *out, size_t out_pixel, const float *in, size_t in_pixel,
                          size_t count, size_t channels, const struct scp_deferred_row *row) {
    for (size_t g = 0; g < count; g += MAPS_GROUP)
        for (size_t j = 0; j < channels; j += 16) {
            const size_t end = count - g < MAPS_GROUP ? count : g + MAPS_GROUP;
            const struct affine f = affine_load(row, j);
            for (size_t i = g; i < end; i++)
                f32x16_store(out + i * out_pixel + j,
                             affine_value(f, f32x16_load(in + i * in_pixel + j)));
        }
}

static void maps_backward(float *out, size_t out_pixel, const float *in, size_t in_pixel,
                          const float *raw, size_t raw_pixel, size_t count, size_t channels,
                          const struct scp_backward_row *row) {
    for (size_t g = 0; g < count; g += MAPS_GROUP)
        for (size_t j = 0; j < channels; j += 16) {
            const size_t end = count - g < MAPS_GROUP ? count : g + MAPS_GROUP;
            const struct affine f = affine_load(&row->deferred, j);
            const f32x16 a = row->a ? f32x16_load(row->a + j) : f.scale;
            const f32x16 b = row->a ? f32x16_load(row->b + j) : f32x16_set(0);
            const f32x16 c = row->a ? f32x16_load(row->c + j) : f32x16_set(0);
            for (size_t i = g; i < end; i++) {
                const f32x16 x = f32x16_load(raw + i * raw_pixel + j);
                const f32x16 d = affine_backward(f, x, f32x16_load(in + i * in_pixel + j));
                f32x16_store(out + i * out_pixel + j, f32x16_fma(a, d, f32x16_fma(b, x, c)));
            }
        }
}

static void maps_add(float *sum, const float *in, size_t count) {
    /* Four sums side by side: one would wait for its last addition. */
    f32x16 s = f32x16_load(sum), t = f32x16_set(0), u = t, v = t;
    size_t i = 0;
    for (; i + 4 <= count; i += 4, in += 64) {
        s = f32x16_add(s, f32x16_load(in));
        t = f32x16_add(t, f32x16_load(in + 16));
        u = f32x16_add(u, f32x16_load(in + 32));
        v = f32x16_add(v, f32x16_load(in + 48));
    }
    for (; i < count; i++, in += 16) s = f32x16_add(s, f32x16_load(in));
    f32x16_store(sum, f32x16_add(f32x16_add(s, t), f32x16_add(u, v)));
}
