// TricolorPacing
