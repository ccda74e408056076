/* The host side of similarity: queries stay on the device (in tiles where they do not fit), images
 * alternate between two sets of buffers, each with its stream: while one computes, the other
 * copies.
 */
#include "matcher.cuh"

#include <cmath>
#include <cstring>
#include <new>
#include <vector>

/* Groups of a quad in depth first order: what screen.cu walks through. */
static void list_slots(std::vector<scp_slot> *slots, unsigned levels, unsigned level,
                       unsigned node) {
    for (unsigned row = 0; row < 16; row++) {
        const unsigned child = 2 * (row / 8) + row % 2;
        unsigned y = 0, x = 0;
        const unsigned path = level ? 4 * node + child : 0;
        for (unsigned d = level; d-- > 0;) {
            y = 2 * y + (path >> 2 * d >> 1 & 1);
            x = 2 * x + (path >> 2 * d & 1);
        }
        slots->push_back({(uint8_t)level, (uint8_t)y, (uint8_t)x, (uint8_t)(row % 8 / 2)});
    }
    if (level + 1 == levels) return;
    for (unsigned child = 0; child < (level ? 4u : 1u); child++)
        list_slots(slots, levels, level + 1, level ? 4 * node + child : 0);
}

/* The bound of all rounding (docs/how-to/gpu.md): both sides to bfloat16, the sum on the tensor
 * cores, and the CPU's own rounding. */
static float slack_of(unsigned channels, unsigned padded) {
    const double bfloat = 1.0012 * (0x1p-7 + 0x1p-15); /* 2 u + u^2, u = 2^-8, and a little */
    const double sum = (double)padded * 0x1p-21;
    const double cpu = ((double)channels / 16 + 16) * 0x1p-23;
    return (float)(bfloat + sum + cpu);
}

/* Bytes on the device: for every query, and for everything else. */
static size_t query_bytes(const scp_cuda_matcher *m) {
    const size_t levels = m->grid.levels, roots = 4 * m->shape.quads;
    const size_t vectors = levels * (4 * m->grid.channels + 4 + 2 * m->shape.padded);
    return vectors + 2 * (8 + 4 * roots * (m->bilinear ? 1 + levels : 1));
}

static size_t fixed_bytes(const scp_cuda_matcher *m) {
    const size_t stream = (size_t)m->shape.quads * m->shape.groups * 32 * m->shape.padded;
    return 2 * (4 * m->cells * (m->grid.channels + 1) + stream + 256) +
           m->shape.groups * 16 * sizeof(scp_slot) + 256;
}

static enum scp_status make_shape(scp_cuda_matcher *m, const struct scp_grid *grid, float epsilon) {
    scp_match_shape &s = m->shape;
    cudaDeviceProp properties;
    SCP_CUDA(cudaSetDevice(m->device));
    SCP_CUDA(cudaGetDeviceProperties(&properties, m->device));
    if (properties.major < 8)
        return scp_cuda_refuse("similarity needs compute capability 8.0 or newer");
    if (grid->channels > 256) return scp_cuda_refuse("features of more than 256 channels");
    const size_t roots = grid->height * grid->width;
    s = scp_match_shape();
    s.levels = (uint32_t)grid->levels;
    s.channels = (uint32_t)grid->channels;
    for (s.padded = 32; s.padded < s.channels;) s.padded *= 2;
    s.height = (uint32_t)grid->height;
    s.width = (uint32_t)grid->width;
    s.roots = (uint32_t)roots;
    s.quads = (uint32_t)((roots + 3) / 4);
    if (s.quads > 65535) return scp_cuda_refuse("more than 262,140 cells at the coarsest level");
    s.epsilon = epsilon;
    s.slack = slack_of(s.channels, s.padded);
    for (size_t i = 0; i < m->n_queries * s.levels; i++)
        s.max_norms[i % s.levels] = fmaxf(s.max_norms[i % s.levels], m->query_norms[i]);
    if (scp_screen_shared(s, m->bilinear) > properties.sharedMemPerBlockOptin)
        return scp_cuda_refuse("so many levels need more shared memory than the device has");
    m->cells = 0;
    for (size_t d = 0; d < grid->levels; d++) m->cells += roots << 2 * d;
    return SCP_OK;
}

static enum scp_status make_buffers(scp_cuda_matcher *m, struct image_buffers &l) {
    const scp_match_shape &s = m->shape;
    const size_t bounds = m->tile * 4 * s.quads;
    SCP_CUDA(cudaStreamCreateWithFlags(&l.stream, cudaStreamNonBlocking));
    SCP_TRY(l.features.make(m->cells * s.channels));
    SCP_TRY(l.norms.make(m->cells));
    SCP_TRY(l.cells.make((size_t)s.quads * s.groups * 2 * s.padded));
    SCP_TRY(l.bounds.make(bounds));
    if (m->bilinear) SCP_TRY(l.per_level.make(bounds * s.levels));
    SCP_TRY(l.value.make(m->tile));
    SCP_TRY(l.index.make(m->tile));
    SCP_TRY(l.flag.make(1));
    SCP_TRY(l.host_features.make(m->cells * s.channels, true));
    SCP_TRY(l.host_norms.make(m->cells, true));
    SCP_TRY(l.host_value.make(m->tile, true));
    SCP_TRY(l.host_index.make(m->tile, true));
    return l.host_flag.make(1, true);
}

static enum scp_status prepare(scp_cuda_matcher *m, const struct scp_grid *grid, float epsilon,
                               size_t max_memory) {
    scp_match_shape &s = m->shape;
    SCP_TRY(make_shape(m, grid, epsilon));
    std::vector<scp_slot> slots;
    list_slots(&slots, s.levels, 0, 0);
    s.groups = (uint32_t)(slots.size() / 16);
    const size_t fixed = fixed_bytes(m), each = query_bytes(m);
    if (max_memory < fixed + 16 * each) return SCP_ENOMEM;
    m->tile = (max_memory - fixed) / each / 16 * 16;
    const size_t max_tile = (size_t)1 << 24; /* rows of a launch */
    if (m->tile > max_tile) m->tile = max_tile;
    if (m->tile > m->n_queries) m->tile = m->n_queries;
    m->first = m->n_queries;
    SCP_TRY(m->slots.upload(slots.data(), slots.size()));
    SCP_TRY(m->flag.make(1));
    SCP_TRY(m->device_queries.make(m->tile * s.levels * s.channels));
    SCP_TRY(m->device_norms.make(m->tile * s.levels));
    SCP_TRY(m->fragments.make((m->tile + 15) / 16 * s.levels * s.padded * 2));
    for (struct image_buffers &l : m->buffers) SCP_TRY(make_buffers(m, l));
    return SCP_OK;
}

extern "C" void scp_cuda_matcher_close(struct scp_cuda_matcher *m) {
    if (!m) return;
    cudaSetDevice(m->device);
    for (struct image_buffers &l : m->buffers) {
        if (l.busy) cudaStreamSynchronize(l.stream);
        if (l.stream) cudaStreamDestroy(l.stream);
    }
    delete m;
}

extern "C" enum scp_status scp_cuda_matcher_open(struct scp_cuda_matcher **out, int device,
                                                 const struct scp_grid *grid,
                                                 const struct scp_cuda_queries *queries,
                                                 const struct scp_match_options *options,
                                                 size_t max_memory) {
    *out = nullptr;
    struct scp_cuda_matcher *m = new (std::nothrow) scp_cuda_matcher();
    if (!m) return SCP_ENOMEM;
    m->device = device;
    m->grid = *grid;
    m->queries = queries->vectors;
    m->query_norms = queries->norms;
    m->n_queries = queries->count;
    m->bilinear = options->mode == SCP_BILINEAR;
    const enum scp_status status = prepare(m, grid, options->epsilon, max_memory);
    if (status != SCP_OK)
        scp_cuda_matcher_close(m);
    else
        *out = m;
    return status;
}

/* Brings the tile of queries that starts at `first` to the device. */
static enum scp_status load_queries(scp_cuda_matcher *m, size_t first) {
    scp_match_shape &s = m->shape;
    const size_t count = m->n_queries - first < m->tile ? m->n_queries - first : m->tile;
    const size_t vectors = count * s.levels;
    s.queries = (uint32_t)count;
    s.tiles = (uint32_t)((count + 15) / 16);
    if (m->first == first) return SCP_OK;
    uint32_t bad = 0;
    SCP_TRY(m->flag.upload(&bad, 1));
    SCP_TRY(
        m->device_queries.upload(m->queries + first * s.levels * s.channels, vectors * s.channels));
    SCP_TRY(m->device_norms.upload(m->query_norms + first * s.levels, vectors));
    SCP_TRY(scp_launch_check(m->flag.get(), m->device_queries.get(), m->device_norms.get(), vectors,
                             s.channels, nullptr));
    SCP_TRY(scp_launch_pack_queries(m->fragments.get(), m->device_queries.get(), s, nullptr));
    SCP_CUDA(cudaStreamSynchronize(nullptr));
    SCP_TRY(m->flag.download(&bad, 1));
    if (bad) return SCP_EINVAL;
    m->first = first;
    return SCP_OK;
}

#define COPY(to, from, count, kind)                                                                \
    SCP_CUDA(cudaMemcpyAsync(to, from, (count) * sizeof *(to), kind, l.stream))

static enum scp_status start_image(scp_cuda_matcher *m, struct image_buffers &l, size_t image,
                                   const float *features, const float *norms) {
    const scp_match_shape &s = m->shape;
    const size_t numbers = m->cells * s.channels;
    memcpy(l.host_features.get(), features, numbers * sizeof *features);
    memcpy(l.host_norms.get(), norms, m->cells * sizeof *norms);
    l.image = image;
    l.busy = true;
    COPY(l.features.get(), l.host_features.get(), numbers, cudaMemcpyHostToDevice);
    COPY(l.norms.get(), l.host_norms.get(), m->cells, cudaMemcpyHostToDevice);
    SCP_CUDA(cudaMemsetAsync(l.flag.get(), 0, sizeof(uint32_t), l.stream));
    SCP_TRY(scp_launch_check(l.flag.get(), l.features.get(), l.norms.get(), m->cells, s.channels,
                             l.stream));
    SCP_TRY(scp_launch_pack_cells(l.cells.get(), l.features.get(), l.norms.get(), m->slots.get(), s,
                                  l.stream));
    const auto refine = [&](bool bilinear) {
        const scp_exact_inputs inputs = {l.features.get(), l.norms.get(), m->device_queries.get(),
                                         m->device_norms.get()};
        return scp_launch_refine(l.value.get(), l.index.get(), l.bounds.get(), inputs, s, bilinear,
                                 l.stream);
    };
    SCP_TRY(
        scp_launch_screen(l.bounds.get(), m->fragments.get(), l.cells.get(), s, false, l.stream));
    SCP_TRY(refine(false));
    if (m->bilinear) { /* which starts from the places found */
        SCP_TRY(scp_launch_screen(l.per_level.get(), m->fragments.get(), l.cells.get(), s, true,
                                  l.stream));
        SCP_TRY(scp_launch_spread(l.bounds.get(), l.per_level.get(), s, l.stream));
        SCP_TRY(refine(true));
    }
    COPY(l.host_value.get(), l.value.get(), s.queries, cudaMemcpyDeviceToHost);
    COPY(l.host_index.get(), l.index.get(), s.queries, cudaMemcpyDeviceToHost);
    COPY(l.host_flag.get(), l.flag.get(), (size_t)1, cudaMemcpyDeviceToHost);
    return SCP_OK;
}

/* Waits for an image and takes its answers. */
static enum scp_status finish_image(scp_cuda_matcher *m, struct image_buffers &l, float *value,
                                    int32_t *index) {
    if (!l.busy) return SCP_OK;
    l.busy = false;
    SCP_CUDA(cudaStreamSynchronize(l.stream));
    if (*l.host_flag.get()) return SCP_EINVAL;
    const size_t at = l.image * m->n_queries + m->first;
    memcpy(value + at, l.host_value.get(), m->shape.queries * sizeof *value);
    memcpy(index + at, l.host_index.get(), m->shape.queries * sizeof *index);
    return SCP_OK;
}

static enum scp_status run_all(scp_cuda_matcher *m, float *value, int32_t *index,
                               const float *const *features, const float *const *norms,
                               size_t n_images, const struct scp_control *control) {
    const size_t tiles = (m->n_queries + m->tile - 1) / m->tile;
    for (size_t tile = 0; tile < tiles; tile++) {
        SCP_TRY(load_queries(m, tile * m->tile));
        for (size_t i = 0; i < n_images; i++) {
            if (control && control->poll &&
                control->poll(control->data, tile * n_images + i, tiles * n_images))
                return SCP_EINTERRUPTED;
            struct image_buffers &l = m->buffers[i % 2];
            SCP_TRY(finish_image(m, l, value, index));
            SCP_TRY(start_image(m, l, i, features[i], norms[i]));
        }
        for (struct image_buffers &l : m->buffers) SCP_TRY(finish_image(m, l, value, index));
    }
    return SCP_OK;
}

extern "C" enum scp_status scp_cuda_matcher_run(struct scp_cuda_matcher *m, float *value,
                                                int32_t *index, const float *const *features,
                                                const float *const *norms, size_t n_images,
                                                const struct scp_control *control) {
    if (m->n_queries == 0 || n_images == 0) return SCP_OK;
    SCP_CUDA(cudaSetDevice(m->device));
    const enum scp_status status = run_all(m, value, index, features, norms, n_images, control);
    for (struct image_buffers &l : m->buffers) { /* after a failure: nothing may run on */
        if (l.busy) cudaStreamSynchronize(l.stream);
        l.busy = false;
    }
    return status;
}
