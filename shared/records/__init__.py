"""From a page's rows to the bytes of RECORD lines."""
