/* Shared on the host side of the plug-in: errors of the runtime as status codes, and memory that
 * frees itself. No exception leaves the plug-in: nothing here throws. */
#ifndef SCP_CUDA_PLUGIN_CUH
#define SCP_CUDA_PLUGIN_CUH

#include "device.cuh"
#include "scp/cuda.h"

/* SCP_OK, SCP_ENOMEM or SCP_EUNSUPPORTED with the text kept for scp_cuda_table.error. */
enum scp_status scp_cuda_status(cudaError_t error, const char *where);
/* Keeps a text and returns SCP_EUNSUPPORTED. */
enum scp_status scp_cuda_refuse(const char *text);

/* Leaves the function with the status of a runtime call that failed. */
#define SCP_TRY(call)                                                                              \
    do {                                                                                           \
        const enum scp_status try_status = (call);                                                 \
        if (try_status != SCP_OK) return try_status;                                               \
    } while (0)
#define SCP_CUDA(call) SCP_TRY(scp_cuda_status((call), #call))

/* An array on the device (or, pinned, on the host), freed with its owner. */
template <class T> class scp_array {
  public:
    scp_array() = default;
    scp_array(const scp_array &) = delete;
    scp_array &operator=(const scp_array &) = delete;
    ~scp_array() {
        clear();
    }
    enum scp_status make(size_t count, bool pinned = false) {
        if (p_ && count <= count_) return SCP_OK;
        clear();
        if (count > SIZE_MAX / sizeof(T)) return SCP_ENOMEM;
        const size_t bytes = count ? count * sizeof(T) : sizeof(T);
        void *p = nullptr;
        const cudaError_t error = pinned ? cudaMallocHost(&p, bytes) : cudaMalloc(&p, bytes);
        if (error != cudaSuccess) return scp_cuda_status(error, "allocation");
        p_ = static_cast<T *>(p);
        count_ = count;
        pinned_ = pinned;
        return SCP_OK;
    }
    /* Makes room and copies count elements to the device. */
    enum scp_status upload(const T *from, size_t count) {
        SCP_TRY(make(count));
        if (count == 0) return SCP_OK;
        return scp_cuda_status(cudaMemcpy(p_, from, count * sizeof(T), cudaMemcpyHostToDevice),
                               "copy to the device");
    }
    enum scp_status download(T *to, size_t count) const {
        if (count == 0) return SCP_OK;
        return scp_cuda_status(cudaMemcpy(to, p_, count * sizeof(T), cudaMemcpyDeviceToHost),
                               "copy from the device");
    }
    T *get() const {
        return p_;
    }

  private:
    void clear() {
        if (p_ && pinned_) cudaFreeHost(p_);
        if (p_ && !pinned_) cudaFree(p_);
        p_ = nullptr;
        count_ = 0;
    }
    T *p_ = nullptr;
    size_t count_ = 0;
    bool pinned_ = false;
};

/* The table's functions, by file. */
extern "C" {
/* matcher.cu */
enum scp_status scp_cuda_matcher_open(struct scp_cuda_matcher **out, int device,
                                      const struct scp_grid *grid,
                                      const struct scp_cuda_queries *queries,
                                      const struct scp_match_options *options, size_t max_memory);
enum scp_status scp_cuda_matcher_run(struct scp_cuda_matcher *matcher, float *value, int32_t *index,
                                     const float *const *features, const float *const *norms,
                                     size_t n_images, const struct scp_control *control);
void scp_cuda_matcher_close(struct scp_cuda_matcher *matcher);
/* scores.cu */
enum scp_status scp_cuda_selection_open(struct scp_cuda_selection **out, int device,
                                        const struct scp_cuda_problem *problem);
void scp_cuda_selection_close(struct scp_cuda_selection *selection);
enum scp_status scp_cuda_score_sets(struct scp_cuda_selection *selection, double *scores,
                                    const uint32_t *sets, size_t width, size_t n_sets);
enum scp_status scp_cuda_score_draws(struct scp_cuda_selection *selection, double *scores,
                                     const struct scp_cuda_draws *draws);
enum scp_status scp_cuda_score_rows(struct scp_cuda_selection *selection, double *scores,
                                    const float *best, const uint32_t *rows, size_t n_rows);
enum scp_status scp_cuda_exchange(struct scp_cuda_selection *selection, double *gain, double *keep,
                                  double sign, const uint32_t *rows, size_t n_rows,
                                  const struct scp_cuda_clients *clients);
/* ascent.cu */
enum scp_status scp_cuda_ascent_begin(struct scp_cuda_selection *selection, const float *lambda,
                                      const float *floor, const uint32_t *rows, size_t n_rows);
enum scp_status scp_cuda_ascent_excess(struct scp_cuda_selection *selection, double *rho,
                                       double *sum);
enum scp_status scp_cuda_ascent_move(struct scp_cuda_selection *selection, int *zero,
                                     const uint32_t *chosen, size_t n_chosen, double gap,
                                     float memory);
enum scp_status scp_cuda_ascent_read(struct scp_cuda_selection *selection, float *lambda);
/* enumerate.cu */
enum scp_status scp_cuda_enumerate(struct scp_cuda_selection *selection, uint32_t *sets,
                                   double *scores, size_t *found, size_t *pair,
                                   const struct scp_cuda_enumeration *range);
}

#endif
