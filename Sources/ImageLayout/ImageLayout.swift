// ImageLayout
