/* The matrix product of the convolutions; included once per instruction set. A block of
 * SCP_SIMD_ROWS rows x SCP_SIMD_PANELS panels stays in registers over the whole sum. */

/* What is left of a form's ask: of the run, of all; `each` lines are asked for every four steps. */
struct gemm_ask {
    const struct scp_ask *of;
    const float *at;
    size_t run, in_run, lines, each;
};

static inline void gemm_ask(struct gemm_ask *ask) {
    for (size_t n = ask->each; n > 0 && ask->lines > 0; n--, ask->lines--, ask->in_run--) {
        if (!ask->in_run) {
            ask->run++;
            ask->at = ask->of->run[ask->run].at;
            ask->in_run = ask->of->run[ask->run].count;
        }
        __builtin_prefetch(ask->at, 0, 2); /* to the second level */
        ask->at += ask->of->run[ask->run].step;
    }
}

/* Steps ahead that rows side by side are asked for: every step is in another line, and the CPU does
 * not foresee that. */
#define AHEAD 24

#define EACH_ROW(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

static inline __attribute__((always_inline)) void
gemm_block(float *c, size_t c_row, const float *a, size_t a_row, size_t a_step, const float *b,
           const struct scp_gemm_form *form, const float *start, struct gemm_ask *rest,
           const int rows, const int along, const int panels) {
    float *c1 = c + form->c_panel;
    const float *b1 = b + form->b_panel;
#define ROW(i) f32x16 s##i = f32x16_set(0), t##i = s##i;
    EACH_ROW(ROW)
#undef ROW
    if (start) {
        const f32x16 first = f32x16_load(start);
        const f32x16 second = panels > 1 ? f32x16_load(start + 16) : first;
#define ROW(i) s##i = first, t##i = second;
        EACH_ROW(ROW)
#undef ROW
    } else {
#define ROW(i)                                                                                     \
    if (rows > i) s##i = f32x16_load(c + i * c_row);                                               \
    if (rows > i && panels > 1) t##i = f32x16_load(c1 + i * c_row);
        EACH_ROW(ROW)
#undef ROW
    }
    struct gemm_ask ask = *rest;
    for (size_t run = 0; run < form->count; run++) {
        const float *p0 = a + form->offsets[run], *p3 = p0 + 3 * a_row, *p6 = p3, *p9 = p3;
        if (rows > 6) p6 = p3 + 3 * a_row;
        if (rows > 9) p9 = p6 + 3 * a_row;
#define ROW(i)                                                                                     \
    if (rows > i) {                                                                                \
        const float *p = i < 3 ? p0 : i < 6 ? p3 : i < 9 ? p6 : p9;                                \
        const f32x16 x = f32x16_set(p[(size_t)(i % 3) * a_row]);                                   \
        s##i = f32x16_fma(x, v, s##i);                                                             \
        if (panels > 1) t##i = f32x16_fma(x, w, t##i);                                             \
    }
#define STEP                                                                                       \
    {                                                                                              \
        const f32x16 v = f32x16_load(b), w = panels > 1 ? f32x16_load(b1) : v;                     \
        EACH_ROW(ROW)                                                                              \
        (void)w;                                                                                   \
        if (!along) {                                                                              \
            __builtin_prefetch(p0 + AHEAD * a_step);                                               \
            if (rows > 9) __builtin_prefetch(p9 + AHEAD * a_step);                                 \
        }                                                                                          \
        b += 16, b1 += 16, p0 += a_step, p3 += a_step, p6 += a_step, p9 += a_step;                 \
    }
#define FOUR                                                                                       \
    {                                                                                              \
        gemm_ask(&ask);                                                                            \
        STEP STEP STEP STEP                                                                        \
    }
        size_t k = form->length;
        if (along) { /* the next block's rows are asked for, a line of each every 16 steps */
#define NEXT(i)                                                                                    \
    if (rows > i) {                                                                                \
        const float *p = i < 3 ? p0 : i < 6 ? p3 : i < 9 ? p6 : p9;                                \
        __builtin_prefetch(p + (size_t)(i % 3 + rows) * a_row);                                    \
    }
            for (; k >= 16; k -= 16) {
                EACH_ROW(NEXT)
                for (int four = 0; four < 4; four++) {
                    FOUR
                }
            }
#undef NEXT
        }
        for (; k >= 4; k -= 4) {
            FOUR
        }
        for (; k > 0; k--) {
            STEP
        }
#undef FOUR
#undef STEP
#undef ROW
    }
    *rest = ask;
#define ROW(i)                                                                                     \
    if (rows > i) f32x16_store(c + i * c_row, s##i);                                               \
    if (rows > i && panels > 1) f32x16_store(c1 + i * c_row, t##i);
    EACH_ROW(ROW)
#undef ROW
}

static inline __attribute__((always_inline)) void
gemm_rest(float *c, size_t c_row, const float *a, size_t a_row, size_t a_step, size_t rows,
          const float *b, const struct scp_gemm_form *form, const float *start,
          struct gemm_ask *ask, const int along, const int panels) {
#define REST(n)                                                                                    \
    case n:                                                                                        \
        if (n < SCP_SIMD_ROWS)                                                                     \
            gemm_block(c, c_row, a, a_row, a_step, b, form, start, ask, n, along, panels);         \
        break;
    switch (rows) {
        REST(1)
        REST(2)
        REST(3) REST(4) REST(5) REST(6) REST(7) REST(8) REST(9) REST(10) REST(11) default : break;
    }
#undef REST
}

static inline __attribute__((always_inline)) void
gemm_rows(float *c, size_t c_row, const float *a, size_t a_row, size_t a_step, size_t rows,
          const float *b, const struct scp_gemm_form *form, const float *start,
          struct gemm_ask *ask, const int along, const int panels) {
    for (; rows >= SCP_SIMD_ROWS; rows -= SCP_SIMD_ROWS) {
        gemm_block(c, c_row, a, a_row, a_step, b, form, start, ask, SCP_SIMD_ROWS, along, panels);
        c += SCP_SIMD_ROWS * c_row, a += SCP_SIMD_ROWS * a_row;
    }
    if (rows) gemm_rest(c, c_row, a, a_row, a_step, rows, b, form, start, ask, along, panels);
}

/* A panel or two, of rows whose steps lie side by side (along), or that do so themselves (columns):
 * what is known to be 1 needs no register. Not inlined, for they are long. */
#define PANELS(name, a_row, a_step, along, panels)                                                 \
    static __attribute__((noinline)) void name(                                                    \
        float *c, size_t c_row, const float *a, size_t stride, size_t rows, const float *b,        \
        const struct scp_gemm_form *form, const float *start, struct gemm_ask *ask) {              \
        gemm_rows(c, c_row, a, a_row, a_step, rows, b, form, start, ask, along, panels);           \
    }
PANELS(gemm_along, stride, 1, 1, 1)
PANELS(gemm_columns, 1, stride, 0, 1)
#if SCP_SIMD_PANELS > 1
PANELS(gemm_along2, stride, 1, 1, 2)
PANELS(gemm_columns2, 1, stride, 0, 2)
#endif
#undef PANELS

static void gemm(float *c, size_t c_row, const float *a, size_t a_row, size_t a_step, size_t rows,
                 const float *b, const struct scp_gemm_form *form, const float *start) {
    const int along = a_step == 1;
    const size_t stride = along ? a_row : a_step;
    struct gemm_ask ask = {form->ask, NULL, 0, 0, 0, 0};
    if (form->ask && form->ask->lines) {
        const size_t blocks = (rows + SCP_SIMD_ROWS - 1) / SCP_SIMD_ROWS *
                              ((form->panels + SCP_SIMD_PANELS - 1) / SCP_SIMD_PANELS);
        const size_t fours = blocks * form->count * (form->length / 4);
        ask.at = form->ask->run[0].at, ask.in_run = form->ask->run[0].count;
        ask.lines = form->ask->lines;
        ask.each = fours ? (ask.lines + fours - 1) / fours : 0;
    }
    size_t panel = 0;
#if SCP_SIMD_PANELS > 1
    for (; panel + 2 <= form->panels; panel += 2) {
        (along ? gemm_along2 : gemm_columns2)(c, c_row, a, stride, rows, b, form,
                                              start ? start + panel * 16 : NULL, &ask);
        b += 2 * form->b_panel, c += 2 * form->c_panel;
    }
#endif
    for (; panel < form->panels; panel++, b += form->b_panel, c += form->c_panel)
        (along ? gemm_along : gemm_columns)(c, c_row, a, stride, rows, b, form,
                                            start ? start + panel * 16 : NULL, &ask);
}
