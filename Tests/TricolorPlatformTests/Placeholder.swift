// TricolorPlatformTests
