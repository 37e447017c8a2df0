// TricolorPlatform
